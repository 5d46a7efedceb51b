# Changes only during business hours; reading is always allowed.
#
# The time is the one at which the waypoint received the request (attributes.request.time, UTC): rules run as WASM have
# no clock, and a decision can be repeated later with the same outcome.
package envoy.authz

http := input.attributes.request.http

default allow := {
	"allowed": false,
	"http_status": 403,
	"headers": {"content-type": "text/plain"},
	"body": "changes are made during business hours only\n",
}

allow := {"allowed": true} if http.method in {"GET", "HEAD", "OPTIONS"}

allow := {"allowed": true} if {
	not http.method in {"GET", "HEAD", "OPTIONS"}
	open
}

open if {
	weekday in data.business_hours.days
	not date in data.business_hours.holidays
	clock >= data.business_hours.from
	clock < data.business_hours.to
}

# 2026-11-24T09:47:47.722Z
date := substring(input.attributes.request.time, 0, 10)

clock := substring(input.attributes.request.time, 11, 5)

# 0 is Sunday (Sakamoto's method: January and February count as months of the year before).
weekday := (((((y + floor(y / 4)) - floor(y / 100)) + floor(y / 400)) + offsets[month - 1]) + day) % 7 if {
	[year, month, day] := [to_number(trim_left(part, "0")) | some part in split(date, "-")]
	y := year - early[month < 3]
}

offsets := [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4]

early := {true: 1, false: 0}
