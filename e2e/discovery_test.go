package e2e_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/hostsim"
	"gatehouse/hostsim/hostsimtest"
)

// TestTheOpenIDConfigurationLeadsToTheKeys has the module find the keys of an issuer that publishes
// its metadata.
func TestTheOpenIDConfigurationLeadsToTheKeys(t *testing.T) {
	issuer := startIssuer(t, "")
	var mu sync.Mutex
	var asked []string
	idp := func(ctx context.Context, call *hostsim.HTTPCall) (*hostsim.HTTPReply, error) {
		mu.Lock()
		asked = append(asked, call.Headers.Get(":path"))
		mu.Unlock()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+issuer.Address()+call.Headers.Get(":path"), nil)
		if err != nil {
			return nil, err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return nil, err
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		return hostsim.NewHTTPReply(response.StatusCode, string(body)), err
	}
	clock := hostsim.NewManualClock(time.Now())
	host, err := hostsim.New(t.Context(), hostsimtest.Module(t, "..", "./filter"), hostsim.Options{
		Plugins: []hostsim.Plugin{{Name: "gate", VMID: "gatehouse", Config: []byte(strings.ReplaceAll(`{
			"tokens": {"providers": [{"name": "main", "issuer": "ISSUER", "audiences": ["orders"], "algorithms": ["RS256", "ES256"],
				"jwks": {"cluster": "idp", "discovery": "ISSUER/.well-known/openid-configuration"}}]},
			"routes": [{"path": "/**"}]}`, "ISSUER", issuer.Name()))}},
		Clock: clock, Clusters: map[string]hostsim.Cluster{"idp": {HTTP: idp}},
	})
	require.NoError(t, err)
	defer host.Close()
	clock.Advance(2 * time.Second)
	stream := host.RoundTrip(0, hostsim.Request{Path: "/orders", Authority: "api.example", SourceAddress: "192.0.2.1:4711",
		Headers: []hostsim.Header{{Name: "authorization", Value: "Bearer " + sign(t, issuer, issuer.Human("alice", "orders", time.Hour))}}},
		func(hostsim.Message) *hostsim.Message { return &hostsim.Message{Headers: hostsim.H(":status", "200")} })
	assert.Equal(t, "200", stream.Downstream().Status())
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, asked, 2, "by one worker for all")
	assert.Equal(t, "/.well-known/openid-configuration", asked[0])
}
