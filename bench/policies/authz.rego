# As banks write them: who may do what at which path, with a document of data beside it.
package envoy.authz

default allow := false

request := input.attributes.request.http

allow if {
  some grant in data.grants[input.attributes.source.principal]
  request.method in grant.methods
  startswith(request.path, grant.prefix)
}
