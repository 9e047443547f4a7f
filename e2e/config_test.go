package e2e_test

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

// TestEnvoyRefusesToStartWithABadConfiguration has three of the many that core/config tests.
func TestEnvoyRefusesToStartWithABadConfiguration(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		patch string
		says  []string // lines, beginning with the JSON path
	}{
		"out of range, and unknown": {
			`{"rate_limits": [{"name": "per-caller", "max_requests": 100, "window_seconds": 0}], "audti": {}, "routes": [{"path": "/**"}]}`,
			[]string{"rate_limits[0].window_seconds: want 1..86400, got 0", "audti: "},
		},
		"a wrong type":             {`{"tokens": {"providers": [{"name": "main", "issuer": 1}]}}`, []string{"tokens.providers[0].issuer: "}},
		"a path with dot segments": {`{"routes": [{"path": "/a/../b"}]}`, []string{"routes[0].path: "}},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, envoy.MergePluginConfig("gate", test.patch))
			o.Concurrency = 1
			p, err := envoy.Start(context.Background(), o)
			if err == nil {
				assert.NoError(t, p.Stop())
			}
			var refused *envoy.StartError
			require.ErrorAs(t, err, &refused)
			for _, line := range test.says {
				assert.Contains(t, refused.Log, "[critical][wasm]")
				assert.Contains(t, refused.Log, "gatehouse: configuration: "+line)
			}
			assert.Contains(t, refused.Line, "gatehouse: configuration: ")
		})
	}
}

// TestABadUpdateLeavesTheOldConfigurationServing delivers the listener through a watched directory,
// as a control plane would.
func TestABadUpdateLeavesTheOldConfigurationServing(t *testing.T) {
	t.Parallel()
	issuer, upstream := startIssuer(t, shippedIssuer), startUpstream(t)
	watched := envoy.WatchListener(t.TempDir(), "gate")
	limited := func(maxRequests string) envoy.Edit {
		return envoy.MergePluginConfig("gate", `{"rate_limits": [{"name": "per-caller", "max_requests": `+maxRequests+`, "window_seconds": 60}],
			"routes": [{"path": "/**"}]}`)
	}
	o := options(t, envoy.Endpoint("idp", issuer.Address()), envoy.Endpoint("upstream", upstream.Address()), limited("50"), watched.Edit)
	p := envoy.StartForTest(t, o)

	c, user := client(), 0
	ask := func() (status int, limit string) {
		user++
		a := get(c, p.Address("gate"), "/", sign(t, issuer, issuer.Human("user"+strconv.Itoa(user), "orders", time.Hour)))
		require.NoError(t, a.err)
		return a.status, a.header.Get("X-RateLimit-Limit")
	}
	stat := func(name string) uint64 {
		stats, err := p.Stats(t.Context(), "^listener_manager[.]lds[.]update_")
		require.NoError(t, err)
		return stats["listener_manager.lds."+name]
	}
	status, limit := ask()
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "50", limit)
	require.Zero(t, stat("update_rejected"))

	from := len(p.Log.Lines())
	require.NoError(t, watched.Apply(limited("0")))
	logged(t, p, from, "gatehouse: configuration: rate_limits[0].max_requests: want 1..")
	require.Eventually(t, func() bool { return stat("update_rejected") == 1 }, patience, 50*time.Millisecond)
	status, limit = ask()
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "50", limit, "the old one serves")

	require.NoError(t, watched.Apply(limited("70")))
	require.Eventually(t, func() bool { status, limit = ask(); return status == http.StatusOK && limit == "70" }, patience, 50*time.Millisecond,
		"a good update comes into force")
	assert.Equal(t, uint64(1), stat("update_rejected"))
}
