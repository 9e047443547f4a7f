package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

func TestStopLetsOpenRequestsFinish(t *testing.T) {
	inBothProtocols(t, func(t *testing.T, client *http.Client, _ int) {
		arrived, release := make(chan struct{}), make(chan struct{})
		b := start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(arrived)
			<-release
			_, _ = io.WriteString(w, "finished")
		}), nil)
		answer := make(chan string, 1)
		go func() {
			response, err := client.Get(b.url("/open/x"))
			if err != nil {
				answer <- err.Error()
				return
			}
			text, err := io.ReadAll(response.Body)
			answer <- fmt.Sprintf("%d %s %v", response.StatusCode, text, errors.Join(err, response.Body.Close()))
		}()
		<-arrived
		stopped := make(chan error, 1)
		go func() { stopped <- b.Stop() }()
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			connection, err := net.Dial("tcp", b.Address())
			if !assert.Error(c, err, "it still accepts connections") {
				_ = connection.Close()
			}
		}, patience, 5*time.Millisecond)
		select {
		case err := <-stopped:
			require.Fail(t, "it didn't wait", "%v", err)
		case <-b.Done():
			require.Fail(t, "it didn't wait")
		default:
		}
		close(release)
		assert.Equal(t, "200 finished <nil>", <-answer)
		require.NoError(t, <-stopped)
		assert.Equal(t, "request", b.event(t).Type)
	})
}

func TestTheEndOfTheContextStopsTheGate(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	wasm, err := envoy.BuildFilter(ctx)
	require.NoError(t, err)
	g, err := Start(ctx, Options{
		Wasm: wasm, Listen: "127.0.0.1:0", Config: []byte(`{"routes": [{"path": "/**", "auth": "none"}]}`), Audit: func(string) {}, Logf: t.Logf,
	})
	require.NoError(t, err)
	assert.Empty(t, g.MetricsAddress())
	cancel()
	<-g.Done()
	require.NoError(t, g.Stop())
}

func TestAGateThatCannotStartSaysWhy(t *testing.T) {
	wasm, err := envoy.BuildFilter(t.Context())
	require.NoError(t, err)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	var said []string
	for name, test := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"the filter's own words": {
			func(o *Options) { o.Config = []byte(`{"routes": [{"path": "x", "auth": "nobody"}]}`) },
			`gatehouse: configuration: routes\[0\].path: .*; gatehouse: configuration: routes\[0\].auth: want .*, got "nobody"`,
		},
		"a secret that isn't there": {
			func(o *Options) {
				o.Config = []byte(`{"routes": [{"path": "/**"}], "tokens": {"providers": [{"name": "p", "issuer": "i", "any_audience": true,
					"algorithms": ["HS256"], "jwks": {"inline": {"keys": [{"kty": "oct", "k": {"env": "PATH"}}]}}}]}}`)
			},
			`gatehouse: configuration: .*: the environment variable PATH is not set`,
		},
		"the gate's address":   {func(o *Options) { o.Listen = taken.Addr().String() }, taken.Addr().String() + " can't be listened on: .*in use"},
		"the metrics' address": {func(o *Options) { o.Metrics = taken.Addr().String() }, taken.Addr().String() + " can't be listened on: .*in use"},
		"no address":           {func(o *Options) { o.Listen = "nowhere" }, "nowhere can't be listened on: address nowhere: missing port in address"},
		"no filter":            {func(o *Options) { o.Wasm = wasm + ".none" }, "the filter is missing, `make build` makes it: open .*gatehouse.wasm.none: no such file or directory"},
		"something else":       {func(o *Options) { o.Wasm = "gate_test.go" }, "hostsim: unusable module: invalid magic number"},
	} {
		t.Run(name, func(t *testing.T) {
			said = nil
			o := Options{
				Wasm: wasm, Listen: "127.0.0.1:0", Config: []byte(`{"routes": [{"path": "/**", "auth": "none"}]}`),
				Logf: func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) },
			}
			test.change(&o)
			_, err := Start(t.Context(), o)
			require.Error(t, err)
			assert.Regexp(t, "^"+test.want+"$", err.Error())
			assert.LessOrEqual(t, len(said), 1, "beside the progress line nothing is said: %v", said)
		})
	}
}

func TestWarningsAtTheStartAreSaidOnce(t *testing.T) {
	wasm, err := envoy.BuildFilter(t.Context())
	require.NoError(t, err)
	said := envoy.NewLog()
	g, err := Start(t.Context(), Options{
		Wasm: wasm, Listen: "127.0.0.1:0", Workers: 3, Audit: func(string) {},
		Config: []byte(`{"routes": [{"path": "/**", "auth": "none"}, {"path": "/never", "auth": "none"}]}`),
		Logf:   func(format string, args ...any) { _, _ = fmt.Fprintf(said, format+"\n", args...) },
	})
	require.NoError(t, err)
	require.NoError(t, g.Stop())
	lines := said.Lines()
	require.Len(t, lines, 3, lines)
	assert.Contains(t, lines[1], "gatehouse: configuration: routes[1]")
	assert.Regexp(t, `^ready after \S+s$`, lines[2])
}
