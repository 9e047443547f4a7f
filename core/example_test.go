package core_test

import (
	"fmt"
	"time"

	"gatehouse/core"
	"gatehouse/core/clock"
	"gatehouse/core/config"
	"gatehouse/core/ratelimit"
)

// A Gate needs a configuration, a store that all workers share, and a monotonic clock.
func ExampleNew() {
	cfg, err := config.Parse([]byte(`{"routes": [{"path": "/**", "auth": "none"}]}`), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	started := time.Now()
	gate, err := core.New(cfg, core.Host{
		Store:      ratelimit.NewMemoryStore(),
		Mono:       func() clock.Mono { return clock.Mono(time.Since(started)) },
		HashKey:    [16]byte{}, // in production: secret, the same for all workers
		InstanceID: 1,          // in production: random
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var d core.Decision
	gate.Decide(&core.Request{Method: "GET", Path: "/", Host: "api.example"}, &d)
	fmt.Println(d.Verdict == core.Admit)
	// Output: true
}

// The second request within a minute is refused. Finish records how both ended.
func ExampleGate_Decide() {
	cfg, err := config.Parse([]byte(`{
		"routes": [{"path": "/public/**", "auth": "none", "rate_limits": ["per-address"]}],
		"rate_limits": [{"name": "per-address", "max_requests": 1, "window_seconds": 60, "identifier": ["ip"]}]
	}`), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	now := clock.Mono(time.Hour)
	gate, err := core.New(cfg, core.Host{Store: ratelimit.NewMemoryStore(), Mono: func() clock.Mono { return now }})
	if err != nil {
		fmt.Println(err)
		return
	}
	var d core.Decision // reused from request to request
	for range 2 {
		r := core.Request{
			Method: "GET", Path: "/public/prices", Host: "api.example", Source: "192.0.2.1:4711",
			Wall: clock.Wall(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano()), Mono: now,
		}
		gate.Decide(&r, &d)
		status := 200 // what the upstream answers
		if d.Verdict == core.Deny {
			status = d.Reason.Status()
			fmt.Println(status, d.Reason, d.Body)
		}
		gate.Finish(&d, core.Outcome{Status: status, Details: "via_upstream", Mono: now}, func(line []byte) {
			fmt.Println(string(line[:69]))
		})
	}
	// Output:
	// {"timestamp":"2026-03-01T12:00:00.000000Z","event_type":"request","us
	// 429 rate_limited {"detail": "Rate limit exceeded"}
	// {"timestamp":"2026-03-01T12:00:00.000000Z","event_type":"rate_limited
}
