package conformance_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/hostsim/conformance"
	"gatehouse/hostsim/hostsimtest"
)

// testdata/envoy.txt is what Envoy 1.40 did; e2e/conformance holds a real Envoy to
// it, and writes it with -update.
func TestHostsimDoesWhatEnvoyDoes(t *testing.T) {
	text, err := os.ReadFile("testdata/envoy.txt")
	require.NoError(t, err)
	want, unused := conformance.Expected(conformance.ParseReport(string(text)))
	require.Empty(t, unused, "differences that are none")

	up := conformance.NewUpstream()
	defer up.Close()
	module := hostsimtest.Module(t, "../..", "./hostsim/internal/probe")
	host, err := conformance.StartHost(t.Context(), module, up)
	require.NoError(t, err)
	defer host.Close()
	got, err := conformance.RunAll(t.Context(), host.Addr, up, host.Logs)
	require.NoError(t, err)

	require.Len(t, got, len(want))
	for i := range want {
		t.Run(want[i].Name, func(t *testing.T) {
			assert.Equal(t, want[i], got[i])
		})
	}
}
