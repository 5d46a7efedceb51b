# Says everything a policy can say about a request.
package envoy.authz

import input.attributes.request.http

answer["allowed"] := welcome

answer["http_status"] := status

answer["body"] := explanation

answer["headers"] := {"x-judged-by": "house-rules", "x-tier": ["gold", "silver"]}

answer["response_headers_to_add"] := {"x-house": "bank"} if welcome

answer["request_headers_to_remove"] := ["x-debug", "x-trace-me"] if welcome

answer["query_parameters_to_remove"] := ["debug"] if welcome

answer["query_parameters_to_set"] := {"branch": input.parsed_query.branch[0], "flags": ["a", "b"]} if welcome

answer["dynamic_metadata"] := {"weight": 7}

default welcome := false

welcome if http.headers["x-badge"] == "valid"

status := 401 if not http.headers["x-badge"]

status := 403 if {
	http.headers["x-badge"]
	not welcome
}

explanation := "no badge" if status == 401

explanation := "not this badge" if status == 403
