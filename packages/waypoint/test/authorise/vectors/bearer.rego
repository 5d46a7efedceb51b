# Clerks may look clients up; managers may also open accounts, but none in their own name.
package envoy.authz

import input.attributes.request.http

default allow := false

allow if {
	claims.role in {"clerk", "manager"}
	http.method in {"GET", "HEAD"}
	glob.match("/clients*", [], http.path)
}

allow if {
	claims.role == "manager"
	http.method == "POST"
	http.path == "/clients"
	own_name := base64url.decode(claims.sub)
	upper(input.parsed_body.name) != upper(own_name)
}

# Undefined without a token that holds now.
claims := payload if {
	[scheme, credentials] := split(http.headers.authorization, " ")
	lower(scheme) == "bearer"
	[valid, _, payload] := io.jwt.decode_verify(credentials, {"secret": "secret"})
	valid
	seconds := time.now_ns() / 1000000000
	seconds >= payload.nbf
	seconds < payload.exp
}
