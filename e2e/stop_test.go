package e2e_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/hostsim"
	"gatehouse/hostsim/hostsimtest"
)

// TestAnUpdateLosesNoCounts ends a plugin instance, as an update of its configuration does, before
// a tick has come by.
func TestAnUpdateLosesNoCounts(t *testing.T) {
	metrics := hostsim.NewMetrics(nil)
	host := openGate(t, metrics, admitsAll)
	host.RoundTrip(0, hostsim.Request{Path: "/", Authority: "a"},
		func(hostsim.Message) *hostsim.Message { return &hostsim.Message{Headers: hostsim.H(":status", "200")} })
	const admitted = "gatehouse_requests_total.route.___.decision.admitted"
	assert.Zero(t, metrics.Counter(admitted))
	host.Close()
	assert.Equal(t, uint64(1), metrics.Counter(admitted))
}

func TestTrailersNameNoCallerEither(t *testing.T) {
	host := openGate(t, hostsim.NewMetrics(nil), admitsAll)
	defer host.Close()
	var seen *hostsim.Headers
	host.RoundTrip(0, hostsim.Request{Path: "/", Authority: "a", Body: []byte("x"), Trailers: []hostsim.Header{
		{Name: "x-gatehouse-user-id", Value: "mallory"}, {Name: "x_gatehouse_caller", Value: "human"}, {Name: "x-checksum", Value: "1"},
	}}, func(m hostsim.Message) *hostsim.Message {
		seen = m.Trailers
		return &hostsim.Message{Headers: hostsim.H(":status", "200")}
	})
	require.NotNil(t, seen)
	assert.Equal(t, []hostsim.Header{{Name: "x-checksum", Value: "1"}}, seen.All())
}

// TestTrailersBringNoTokenEither has servers in mind that read trailers as headers: they would see
// a token that the gate hasn't judged.
func TestTrailersBringNoTokenEither(t *testing.T) {
	host := openGate(t, hostsim.NewMetrics(nil), `{"routes":[{"path":"/**","auth":"optional"}],"tokens":{
		"token_from":[{"header":"x-token"},{"cookie":"session"}],
		"providers":[{"name":"main","issuer":"https://idp.example","audiences":["a"],"algorithms":["RS256"],
			"jwks":{"cluster":"idp","uri":"https://idp.example/jwks"}}]}}`)
	defer host.Close()
	var seen *hostsim.Headers
	host.RoundTrip(0, hostsim.Request{Path: "/", Authority: "a", Body: []byte("x"), Trailers: []hostsim.Header{
		{Name: "authorization", Value: "Bearer a"}, {Name: "x-token", Value: "a"}, {Name: "x_token", Value: "a"},
		{Name: "cookie", Value: "session=a"}, {Name: "x-checksum", Value: "1"},
	}}, func(m hostsim.Message) *hostsim.Message {
		seen = m.Trailers
		return &hostsim.Message{Headers: hostsim.H(":status", "200")}
	})
	require.NotNil(t, seen)
	assert.Equal(t, []hostsim.Header{{Name: "x-checksum", Value: "1"}}, seen.All())
}

// TestHoweverManyFieldsAClientSendsItNamesNoCaller guards against a bound on the number of header
// fields beyond which the gate would look at none of them. Envoy's own bound, a hundred by default,
// can be raised.
func TestHoweverManyFieldsAClientSendsItNamesNoCaller(t *testing.T) {
	host := openGate(t, hostsim.NewMetrics(nil), admitsAll)
	defer host.Close()
	fields := []hostsim.Header{{Name: "x-gatehouse-user-id", Value: "mallory"}}
	for i := range 5000 {
		fields = append(fields, hostsim.Header{Name: "x-" + strconv.Itoa(i), Value: "1"})
	}
	reached := false
	host.RoundTrip(0, hostsim.Request{Path: "/", Authority: "a", Headers: fields, Body: []byte("x"), Trailers: fields},
		func(m hostsim.Message) *hostsim.Message {
			reached = true
			for where, sent := range map[string]*hostsim.Headers{"headers": m.Headers, "trailers": m.Trailers} {
				_, forged := sent.Lookup("x-gatehouse-user-id")
				assert.False(t, forged, where)
				assert.Equal(t, "1", sent.Get("x-4999"), where)
			}
			return &hostsim.Message{Headers: hostsim.H(":status", "200")}
		})
	assert.True(t, reached)
}

const admitsAll = `{"routes":[{"path":"/**","auth":"none"}]}`

// openGate starts a gate in hostsim.
func openGate(t *testing.T, metrics *hostsim.Metrics, config string) *hostsim.Host {
	t.Helper()
	host, err := hostsim.New(t.Context(), hostsimtest.Module(t, "..", "./filter"), hostsim.Options{
		Plugins: []hostsim.Plugin{{Name: "gate", VMID: "gatehouse", Config: []byte(config)}},
		Clock:   hostsim.NewManualClock(time.Unix(1_800_000_000, 0)), Metrics: metrics,
	})
	require.NoError(t, err)
	return host
}
