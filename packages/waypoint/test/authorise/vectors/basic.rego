# Who may see which report, by roles of a table.
package reports.access

import input.attributes.request.http

default permitted := false

permitted if {
	http.method == "GET"
	input.parsed_path == ["ready"]
}

permitted if count(held & wanted) > 0

held contains role if some role in staff[user]

wanted contains role if {
	some role, grants in granted
	some grant in grants
	[grant.verb, grant.report] == [http.method, concat("/", input.parsed_path)]
}

user := name if {
	encoded := trim_prefix(http.headers.authorization, "Basic ")
	name := split(base64url.decode(encoded), ":")[0]
}

staff := {"anna": {"teller"}, "ben": {"teller", "auditor"}}

granted := {
	"teller": [{"verb": "GET", "report": "daily"}],
	"auditor": [{"verb": "GET", "report": "daily"}, {"verb": "GET", "report": "yearly/2026"}],
}
