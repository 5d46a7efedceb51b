package envoy.authz_test

import data.envoy.authz

asked(source, destination) := {"attributes": {"mesh": {
	"source": {"namespace": source},
	"destination": {"namespace": destination},
}}}

test_payments_may_call_ledger if {
	authz.allow.allowed with input as asked("payments", "ledger")
}

test_payments_may_not_call_customer_analytics if {
	decision := authz.allow with input as asked("payments", "customer-analytics")
	not decision.allowed
	decision.http_status == 403
}

test_forbidden_beats_allowed if {
	mistaken := {"payments": {"may_call": ["customer-analytics"], "never": ["customer-analytics"]}}
	decision := authz.allow with input as asked("payments", "customer-analytics") with data.domains as mistaken
	not decision.allowed
}

test_a_domain_may_call_itself if {
	authz.allow.allowed with input as asked("customer-analytics", "customer-analytics")
}

test_unknown_domains_may_call_nobody if {
	decision := authz.allow with input as asked("default", "ledger")
	not decision.allowed
}

test_no_source_is_denied if {
	decision := authz.allow with input as {"attributes": {"mesh": {"destination": {"namespace": "ledger"}}}}
	not decision.allowed
}
