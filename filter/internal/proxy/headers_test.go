package proxy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gatehouse/filter/internal/proxy"
	"gatehouse/filter/internal/proxy/proxytest"
	"gatehouse/hostsim/abi"
)

type header struct{ Name, Value string }

func TestHeadersReadAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []header
		var pairs []abi.Pair
		for range rapid.IntRange(0, 20).Draw(t, "count") {
			h := header{rapid.String().Draw(t, "name"), rapid.String().Draw(t, "value")}
			want, pairs = append(want, h), append(pairs, abi.Pair{Name: h.Name, Value: h.Value})
		}
		bytes := proxy.AppendPairs(nil, want)
		require.Equal(t, abi.AppendPairs(nil, pairs), bytes, "as another writer of the ABI has it")
		got, err := proxy.AppendHeaders(bytes, []header{{"first", "kept"}})
		require.NoError(t, err)
		require.Equal(t, append([]header{{"first", "kept"}}, want...), got)
	})
}

func TestNoHeadersAreNone(t *testing.T) {
	got, err := proxy.AppendHeaders(nil, []header{})
	require.NoError(t, err)
	assert.Empty(t, got)
}

// FuzzAppendHeaders holds that headers are all there or an error is.
func FuzzAppendHeaders(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Add(proxy.AppendPairs(nil, []header{{":path", "/"}, {"x", ""}}))
	f.Add([]byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'a', 0, 'b', 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := proxy.AppendHeaders(b, []header{})
		if err != nil {
			require.Empty(t, got)
			return
		}
		size := 4
		for _, h := range got {
			size += 8 + len(h.Name) + 1 + len(h.Value) + 1
		}
		if len(b) > 0 {
			require.LessOrEqual(t, size, len(b))
			require.Equal(t, uint32(len(got)), uint32(b[0])|uint32(b[1])<<8|uint32(b[2])<<16|uint32(b[3])<<24)
		}
	})
}

func TestAnAnswerIsWholeOrNone(t *testing.T) {
	send := func(px *proxytest.Proxy) (answer proxy.Answer) {
		get := proxy.Get{Cluster: "idp", Scheme: "https", Authority: "idp.example", Path: "/jwks", TimeoutMilliseconds: 5000, MaxBody: 4}
		require.NoError(t, get.Send(px, func(a proxy.Answer) { answer = a }))
		call := px.Pending[0]
		assert.Equal(t, "idp", call.Cluster)
		assert.Contains(t, call.Headers, [2]string{":path", "/jwks"})
		call.End(&proxytest.Answer{Headers: []proxytest.Header{{Name: ":status", Value: "200"}, {Name: "cache-control", Value: "max-age=1"}}, Body: []byte("body")})
		return answer
	}
	assert.Equal(t, proxy.Answer{Status: 200, CacheControl: "max-age=1", Body: []byte("body")}, send(proxytest.New()))
	for call, want := range map[string]proxy.Answer{
		"6 :status":       {},
		"6 cache-control": {Status: 200, Body: []byte("body")},
		"CallBody":        {},
	} {
		px := proxytest.New()
		px.Fault = func(c proxytest.Invocation) proxy.Status {
			if c.Subject == call || c.Name == call {
				return proxy.InternalFailure
			}
			return proxy.OK
		}
		assert.Equal(t, want, send(px), call)
	}
}
