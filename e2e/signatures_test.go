package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/toy"
	"gatehouse/hostsim"
	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/hostsimtest"
)

// byEnvoy are the algorithms for which Envoy's verify_signature passes the filter's self-test.
const byEnvoy = "the proxy verifies signatures by RS256, RS384, RS512, ES256, ES384, ES512,"

// The verdicts are the same whichever side verifies: the host where it passes the self-test, the
// module's own code where the host has no such function, fails, or answers yes or no to everything.
func TestSignaturesAreVerifiedByTheHostOrByTheModule(t *testing.T) {
	t.Parallel()
	issuer := startIssuer(t, shippedIssuer)
	answer := func(result []byte, status abi.Status) map[string]hostsim.ForeignFunction {
		return map[string]hostsim.ForeignFunction{"verify_signature": func([]byte) ([]byte, abi.Status) { return result, status }}
	}
	const byGo = "the proxy verifies signatures by no algorithm,"
	for name, c := range map[string]struct {
		foreign map[string]hostsim.ForeignFunction
		says    string
	}{
		"as Envoy does":       {nil, byEnvoy},
		"without such a host": {map[string]hostsim.ForeignFunction{"verify_signature": nil}, byGo},
		"a host that fails":   {answer(nil, abi.InternalFailure), byGo},
		"yes to everything":   {answer([]byte{1 << 3, 1}, abi.OK), byGo},
		"no to everything":    {answer(nil, abi.OK), byGo},
		"nonsense":            {answer([]byte("nonsense"), abi.OK), byGo},
	} {
		t.Run(name, func(t *testing.T) {
			var said []string
			asked := 0
			host, err := hostsim.New(t.Context(), hostsimtest.Module(t, "..", "./filter"), hostsim.Options{
				Foreign: c.foreign,
				Log:     func(e hostsim.LogEntry) { said = append(said, e.Message) },
				Faults: hostsim.Faults{HostCall: func(call hostsim.HostCall) hostsim.Fault {
					if call.Subject == "verify_signature" {
						asked++
					}
					return hostsim.Fault{}
				}},
				Plugins: []hostsim.Plugin{{Name: "gate", VMID: "gatehouse", Config: []byte(fmt.Sprintf(
					`{"routes":[{"path":"/**"}],"tokens":{"providers":[{"name":"main","issuer":%q,"audiences":["orders"],
					"algorithms":["RS256","RS384","RS512","PS256","ES256","ES384","ES512","EdDSA"],"jwks":{"inline":%s}}]}}`,
					shippedIssuer, issuer.JWKS()))}},
			})
			require.NoError(t, err)
			defer host.Close()
			assert.Contains(t, strings.Join(said, "\n"), c.says)

			for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA"} {
				token := sign(t, issuer, issuer.Human("alice", "orders", time.Hour), toy.Algorithm(alg))
				tampered, err := toy.Tampered(token)
				require.NoError(t, err)
				before := asked
				assert.Equal(t, "200", ask(host, token), alg)
				assert.Equal(t, "401", ask(host, tampered), alg)
				calls := asked - before
				if c.says == byEnvoy && alg != "PS256" && alg != "EdDSA" {
					assert.Equal(t, 2, calls, alg)
				} else {
					assert.Zero(t, calls, alg)
				}
			}
		})
	}
}

// ask sends a request with a token and returns the status of the answer.
func ask(host *hostsim.Host, token string) string {
	r := hostsim.Request{Path: "/", Headers: []hostsim.Header{{Name: "authorization", Value: "Bearer " + token}}}
	stream := host.RoundTrip(0, r, func(hostsim.Message) *hostsim.Message {
		return &hostsim.Message{Headers: hostsim.H(":status", "200")}
	})
	return stream.Downstream().Status()
}
