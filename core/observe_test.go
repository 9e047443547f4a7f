package core_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"gatehouse/core"
	"gatehouse/core/reason"
)

func TestObserveModeAdmitsWhatHasNoRoute(t *testing.T) {
	g := open(t, `"mode":"observe","routes":[{"path":"/here"}],"rate_limits":[{"name":"one","max_requests":1,"window_seconds":60}]`)
	for line, reason := range map[string]reason.Reason{"GET /elsewhere": reason.NoRoute, "GET /here//x": reason.UnsafePath} {
		d := g.decide(line, "")
		assert.Equal(t, core.Admit, d.Verdict, line)
		assert.Equal(t, reason, d.WouldBe, line)
	}
}

func TestObserveModeShowsWhereARefusedCallerWouldStand(t *testing.T) {
	g := open(t, anyone+`,"mode":"observe","rate_limits":[
		{"name":"flood","max_requests":5,"window_seconds":60,"identifier":["ip"],"when":"before_auth"},
		{"name":"wide","max_requests":3,"window_seconds":60},
		{"name":"narrow","max_requests":1,"window_seconds":10}]`)
	token := main(t).mint(t, nil)
	g.decide("GET /", token)
	for range 5 {
		d := g.decide("GET /", token)
		assert.Equal(t, core.Admit, d.Verdict)
		assert.Equal(t, reason.RateLimited, d.WouldBe)
		assert.Equal(t, `"flood";r=4;t=60, "wide";r=2;t=60, "narrow";r=0;t=10`, header(d.Response, "ratelimit"), "it charged nothing")
		assert.Equal(t, "0", header(d.Response, "x-ratelimit-remaining"))
		assert.Empty(t, header(d.Response, "retry-after"), "there is nothing to wait for")
	}
	assert.Equal(t, `"flood";r=4;t=60`, header(g.decide("GET /", "bad").Response, "ratelimit"))
}
