package envoy.authz_test

import data.envoy.authz

asked(method, time) := {"attributes": {"request": {"time": time, "http": {"method": method}}}}

hours := {"days": [1, 2, 3, 4, 5], "from": "07:00", "to": "18:00", "holidays": ["2026-12-25"]}

allowed(method, time) if {
	decision := authz.allow with input as asked(method, time) with data.business_hours as hours
	decision.allowed
}

test_changes_are_made_during_business_hours if {
	every time in ["2026-11-24T07:00:00Z", "2026-11-24T17:59:59.999Z", "2026-11-27T12:00:00.5Z"] {
		allowed("POST", time)
	}
}

test_no_changes_outside_business_hours if {
	every time in ["2026-11-24T06:59:59.999Z", "2026-11-24T18:00:00Z", "2026-11-28T12:00:00Z", "2026-11-29T12:00:00Z"] {
		not allowed("POST", time)
	}
}

test_no_changes_on_holidays if {
	not allowed("DELETE", "2026-12-25T12:00:00Z")
}

test_reading_is_always_allowed if {
	allowed("GET", "2026-11-29T03:00:00Z")
}

test_no_time_is_no_business_hour if {
	not allowed("POST", "")
}

test_weekdays if {
	days := {
		"2000-02-29": 2, "2023-12-31": 0, "2024-01-01": 1, "2024-02-29": 4, "2024-03-01": 5, "2026-08-08": 6,
		"2026-10-09": 5, "2026-11-24": 2, "2100-03-01": 1,
	}
	every date, day in days {
		day == authz.weekday with input as asked("POST", sprintf("%sT00:00:00Z", [date]))
	}
}
