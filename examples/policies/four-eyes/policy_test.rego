package envoy.authz_test

import data.envoy.authz

rules := {"limit": 1000, "approvers": ["alice", "bob"], "header_counts": true}

booking(amount, headers, claims) := {
	"attributes": {
		"request": {"http": {"method": "POST", "path": "/entries", "headers": headers}},
		"mesh": {"claims": claims},
	},
	"parsed_path": ["entries"],
	"parsed_body": {"iban": "DE89370400440532013000", "amount": amount},
	"truncated_body": false,
}

decision(asked) := answer if {
	answer := authz.allow with input as asked with data.four_eyes as rules
}

test_up_to_the_limit_nobody_is_asked if {
	every amount in [1, 1000, "1", "1000", "999.99", 0.01] {
		decision(booking(amount, {}, {})).allowed
	}
}

test_above_the_limit_a_second_approver_is_needed if {
	every amount in [1000.01, 5000, "1000.01", "5000", 1e15] {
		answer := decision(booking(amount, {}, {}))
		not answer.allowed
		answer.http_status == 403
		answer.body == "an entry above 1000 needs a second approver\n"
	}
}

test_a_claim_approves if {
	answer := decision(booking(5000, {}, {"sub": "carol", "approved_by": "alice"}))
	answer.allowed
	answer.headers == {"x-approved-by": "alice"}
}

test_a_header_approves_where_headers_count if {
	decision(booking(5000, {"x-approved-by": "bob"}, {})).allowed
}

test_a_header_approves_nothing_where_headers_do_not_count if {
	strict := object.union(rules, {"header_counts": false})
	asked := booking(5000, {"x-approved-by": "bob"}, {})
	answer := authz.allow with input as asked with data.four_eyes as strict
	not answer.allowed
}

test_nobody_approves_for_himself if {
	not decision(booking(5000, {}, {"sub": "alice", "approved_by": "alice"})).allowed
	not decision(booking(5000, {"x-approved-by": "bob", "x-initiated-by": "bob"}, {})).allowed
}

test_strangers_approve_nothing if {
	not decision(booking(5000, {}, {"sub": "carol", "approved_by": "mallory"})).allowed
}

test_a_claim_beats_a_header if {
	not decision(booking(5000, {"x-approved-by": "bob"}, {"sub": "carol", "approved_by": "mallory"})).allowed
}

test_what_is_no_amount_is_denied if {
	every amount in ["", "-5", "1e3", "0x10", "12,50", " 7", null, true, [], -5, 0, "5000 "] {
		not decision(booking(amount, {}, {"sub": "carol", "approved_by": "alice"})).allowed
	}
}

test_a_truncated_body_is_denied if {
	asked := object.union(booking(1, {}, {}), {"parsed_body": null, "truncated_body": true})
	not decision(asked).allowed
}

test_other_requests_are_not_judged if {
	asked := {"attributes": {"request": {"http": {"method": "GET", "path": "/hello", "headers": {}}}}, "parsed_path": ["hello"]}
	decision(asked).allowed
}

test_no_input_is_denied if {
	not decision(booking(null, {}, {})).allowed
}
