package core_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"gatehouse/core"
	"gatehouse/core/reason"
)

func TestRetryAfterCountsLimitsThatHeadersLeaveOut(t *testing.T) {
	for name, fields := range map[string]string{
		"a limit without headers": `"rate_limits":[{"name":"hidden","max_requests":1,"window_seconds":60,"headers":false}]`,
		"no limit has headers":    `"limit_headers":[],"rate_limits":[{"name":"hidden","max_requests":1,"window_seconds":60}]`,
		"beside a limit with headers": `"rate_limits":[{"name":"shown","max_requests":1,"window_seconds":10},
			{"name":"hidden","max_requests":1,"window_seconds":60,"headers":false}]`,
	} {
		t.Run(name, func(t *testing.T) {
			g := open(t, anyone+`,`+fields)
			token := main(t).mint(t, nil)
			assert.Equal(t, core.Admit, g.decide("GET /", token).Verdict)
			d := g.decide("GET /", token)
			assert.Equal(t, reason.RateLimited, d.Reason)
			assert.Equal(t, "60", header(d.Response, "retry-after"))
			assert.NotContains(t, header(d.Response, "ratelimit"), "hidden")
			g.now = 60 * time.Second
			assert.Equal(t, core.Admit, g.decide("GET /", token).Verdict)
		})
	}
}
