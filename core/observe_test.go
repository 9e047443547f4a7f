package core_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"gatehouse/core"
)

func TestObserveModeAdmitsWhatHasNoRoute(t *testing.T) {
	g := open(t, `"mode":"observe","routes":[{"path":"/here"}],"rate_limits":[{"name":"one","max_requests":1,"window_seconds":60}]`)
	for line, reason := range map[string]core.Reason{"GET /elsewhere": core.NoRoute, "GET /here//x": core.UnsafePath} {
		d := g.decide(line, "")
		assert.Equal(t, core.Admit, d.Verdict, line)
		assert.Equal(t, reason, d.WouldBe, line)
	}
}
