package serve_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/toy"
)

// onEverything is a route that admits every request.
func onEverything() object {
	return object{"routes": []any{object{"name": "all", "path": "/**", "auth": "none"}}}
}

func TestServeEndsInOrderOnceOpenRequestsAreDone(t *testing.T) {
	for name, signal := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			arrived, release := make(chan struct{}), make(chan struct{})
			behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				close(arrived)
				<-release
				_, _ = io.WriteString(w, "finished")
			}))
			defer behind.Close()
			g := startServe(t, nil, nil, onEverything(), behind.URL)
			answer := make(chan string, 1)
			go func() {
				response, err := http.Get("http://" + g.address + "/x")
				if err != nil {
					answer <- err.Error()
					return
				}
				text, _ := io.ReadAll(response.Body)
				_ = response.Body.Close()
				answer <- fmt.Sprintf("%d %s", response.StatusCode, text)
			}()
			<-arrived
			require.NoError(t, g.cmd.Process.Signal(signal))
			require.EventuallyWithT(t, func(c *assert.CollectT) {
				connection, err := net.Dial("tcp", g.address)
				if !assert.Error(c, err, "it still accepts connections") {
					_ = connection.Close()
				}
			}, patience, 5*time.Millisecond)
			select {
			case <-g.done:
				require.Fail(t, "it didn't wait for the open request")
			default:
			}
			close(release)
			assert.Equal(t, "200 finished", <-answer)
			assert.Equal(t, 0, g.exit(t))
			lines := g.stdout.Lines()
			require.Len(t, lines, 1, "the standard output has the audit line and nothing else")
			assert.Contains(t, lines[0], `"event_type":"request"`)
		})
	}
}

func TestServeTakesSecretsFromItsEnvironmentAndTellsNobody(t *testing.T) {
	const secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA" // base64url of the key
	key := []byte("secret-secret-secret-secret-secret")
	config := object{
		"tokens": object{"providers": []any{object{
			"name": "main", "issuer": "https://idp.example", "audiences": []any{"orders"}, "algorithms": []any{"HS256"},
			"jwks": object{"inline": object{"keys": []any{object{"kty": "oct", "k": object{"env": "GATEHOUSE_TEST_KEY"}}}}},
		}}},
		"routes": []any{object{"path": "/**"}},
	}
	issuer := startIssuer(t)
	behind := startUpstream(t)
	g := startServe(t, nil, []string{"GATEHOUSE_TEST_KEY=" + secret}, config, behind.url())
	for status, signed := range map[int][]byte{http.StatusOK: key, http.StatusUnauthorized: []byte("another-another-another-another-ano")} {
		token, err := issuer.Sign(issuer.Human("alice", "orders", time.Hour), toy.Key("HS256", signed))
		require.NoError(t, err)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+g.address+"/", nil)
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, status, response.StatusCode)
	}
	g.series(t, `gatehouse_tokens_failed_total{reason="invalid_signature",provider="main"} 1`, `gatehouse_tokens_validated_total{} 1`)
	g.stop(t)
	said := g.stdout.String() + g.stderr.String()
	assert.NotContains(t, said, secret)
	assert.NotContains(t, said, string(key))

	// Without it, or with one that is too short, there is one line and exit code 2.
	path, args := serveArgs(t, config, behind.url())
	for env, want := range map[string]string{
		"UNRELATED=1":                 "the environment variable GATEHOUSE_TEST_KEY is not set",
		"GATEHOUSE_TEST_KEY=c2hvcnQt": "want at least one key that fits the provider's algorithms",
	} {
		p := launch(t, []string{env}, nil, path, args...)
		assert.Equal(t, 2, p.exit(t))
		lines := p.stderr.Lines()
		require.Len(t, lines, 1, lines)
		assert.True(t, strings.HasPrefix(lines[0], "gatehouse: "), lines)
		assert.Contains(t, lines[0], want)
		assert.NotContains(t, lines[0], "c2hvcnQt")
		assert.Empty(t, p.stdout.Lines())
	}
}

func TestServeNamesAnAddressInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	path, args := serveArgs(t, onEverything(), "http://127.0.0.1:9", "--listen", taken.Addr().String())
	p := launch(t, nil, nil, path, args...)
	assert.Equal(t, 2, p.exit(t))
	assert.Equal(t, []string{"gatehouse: " + taken.Addr().String() + " can't be listened on: bind: address already in use"}, p.stderr.Lines())
}
