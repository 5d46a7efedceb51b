# Which domain may call which. Domains are namespaces, taken from the caller's certificate: no header is believed.
#
# data.json lists what is allowed, and what is forbidden whatever anybody allows later.
package envoy.authz

source := input.attributes.mesh.source.namespace

destination := input.attributes.mesh.destination.namespace

default allow := {"allowed": false, "http_status": 403, "body": "this domain may not be called from yours\n"}

allow := {"allowed": true} if {
	permitted
	not forbidden
}

# A domain may always call itself.
permitted if source == destination

permitted if destination in data.domains[source].may_call

forbidden if destination in data.domains[source].never
