package clients_test

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/e2e/envoytest"
)

// frontListener retries a request once if the gate refuses it with x-envoy-ratelimited. It waits
// for the time that Retry-After says.
const frontListener = `
name: front
address: {socket_address: {address: 127.0.0.1, port_value: 10002}}
filter_chains:
- filters:
  - name: envoy.filters.network.http_connection_manager
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: front
      http_filters:
      - name: envoy.filters.http.router
        typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
      route_config:
        virtual_hosts:
        - name: gate
          domains: ["*"]
          routes:
          - match: {prefix: /}
            route:
              cluster: upstream
              timeout: 60s
              retry_policy:
                retry_on: envoy-ratelimited
                num_retries: 1
                rate_limited_retry_back_off:
                  reset_headers: [{name: Retry-After, format: SECONDS}]
`

func TestAnEnvoyInFrontWaitsAndIsAdmittedOnItsFirstRetry(t *testing.T) {
	g := envoytest.Start(t, retryConfig, toUpstream(t))
	o := envoy.OptionsForTest(t)
	o.Edits = []envoy.Edit{
		envoy.RemoveListener("gate"), envoy.RemoveListener("gate_envoy_jwt"),
		envoy.AddListener(frontListener),
		envoy.Endpoint("upstream", g.Address("gate")),
	}
	front := envoy.StartForTest(t, o)

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	token := g.Token(t, "envoy")
	for range 3 {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, front.URL("front", "/"), http.NoBody)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, http.StatusOK, response.StatusCode)
	}
	answered(t, g, "envoy", 200, 200, 429, 200)
}
