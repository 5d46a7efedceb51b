# Entries above a limit need a second person.
#
# POST /entries carries {"iban": …, "amount": …}; the amount is a number, or a number as text. Up to the limit anybody
# may book whom other policies let in. Above it, a second approver must be named: by the claim `approved_by` of a
# verified token, or by the header `x-approved-by`. The approver must be one of data.json, and not the one who asks.
#
# Only a claim proves who approved. Set `header_counts` to false in data.json once callers send tokens.
package envoy.authz

http := input.attributes.request.http

default allow := {"allowed": false, "http_status": 403, "body": "this request cannot be judged\n"}

allow := {"allowed": true} if not is_booking

allow := {"allowed": true} if {
	is_booking
	amount <= data.four_eyes.limit
}

allow := {"allowed": true, "headers": {"x-approved-by": approver}} if {
	is_booking
	amount > data.four_eyes.limit
	second_approver
}

allow := {"allowed": false, "http_status": 403, "headers": {"content-type": "text/plain"}, "body": body} if {
	is_booking
	amount > data.four_eyes.limit
	not second_approver
	body := sprintf("an entry above %v needs a second approver\n", [data.four_eyes.limit])
}

is_booking if {
	http.method == "POST"
	input.parsed_path[0] == "entries"
}

# Undefined for anything else, hence denied: a body that was cut off, that is no JSON, or that has no amount.
amount := value if {
	input.truncated_body == false
	is_number(input.parsed_body.amount)
	value := input.parsed_body.amount
	value > 0
}

amount := value if {
	input.truncated_body == false
	regex.match(`^[0-9]{1,15}(\.[0-9]{1,4})?$`, input.parsed_body.amount)
	value := to_number(input.parsed_body.amount)
	value > 0
}

approver := input.attributes.mesh.claims.approved_by

approver := http.headers["x-approved-by"] if {
	not input.attributes.mesh.claims.approved_by
	data.four_eyes.header_counts
}

second_approver if {
	approver in data.four_eyes.approvers
	approver != initiator
}

default initiator := ""

initiator := input.attributes.mesh.claims.sub

initiator := http.headers["x-initiated-by"] if not input.attributes.mesh.claims.sub
