package plugin_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jwt"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"gatehouse/filter/internal/plugin"
	"gatehouse/filter/internal/proxy"
	"gatehouse/filter/internal/proxy/proxytest"
)

const (
	pluginID = 1
	streamID = 7

	secret = "0123456789abcdef0123456789abcdef"
	// inline verifies tokens itself, by a symmetric key; everything that needs a call of the proxy
	// is on.
	inline = `{
		"tokens": {"providers": [{"name": "main", "issuer": "https://idp.example", "audiences": ["orders"], "algorithms": ["HS256"],
			"jwks": {"inline": {"keys": [{"kty": "oct", "k": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]}}}],
			"forward_token": false},
		"routes": [{"path": "/public/**", "auth": "optional"}, {"path": "/**"}],
		"rate_limits": [{"name": "before", "max_requests": 3, "window_seconds": 60, "identifier": ["ip"], "when": "before_auth"},
			{"name": "after", "max_requests": 3, "window_seconds": 60}],
		"identity_headers": {"prefix": "x-gatehouse-"}}`
	// behind takes the claims that jwt_authn verified.
	behind = `{
		"tokens": {"providers": [{"name": "main", "issuer": "https://idp.example", "audiences": ["orders"],
			"claims_from": {"envoy_metadata": {"filter": "jwt", "key": "payload"}, "failed_status_key": "fail"}}]},
		"routes": [{"path": "/public/**", "auth": "optional"}, {"path": "/**"}],
		"rate_limits": [{"name": "after", "max_requests": 3, "window_seconds": 60}],
		"identity_headers": {"prefix": "x-gatehouse-"}}`
	// remote fetches its keys.
	remote = `{
		"tokens": {"providers": [{"name": "main", "issuer": "https://idp.example", "audiences": ["orders"], "algorithms": ["RS256"],
			"jwks": {"cluster": "idp", "uri": "https://idp.example/jwks.json"}}]},
		"routes": [{"path": "/**"}],
		"identity_headers": {"prefix": "x-gatehouse-"}}`
)

// start makes a plugin over a proxy in memory.
func start(t *testing.T, config string) (*proxytest.Proxy, proxy.Plugin) {
	t.Helper()
	px := proxytest.New()
	p := px.Reusing(plugin.NewVM().New(px, pluginID))
	require.True(t, p.Start([]byte(config)), px.Logs)
	return px, p
}

// token mints a token for alice.
func token(t *testing.T, px *proxytest.Proxy, audience string) string {
	t.Helper()
	tok, err := jwt.NewBuilder().Issuer("https://idp.example").Subject("alice").Audience([]string{audience}).
		Expiration(time.Unix(0, int64(px.Wall)).Add(time.Hour)).Claim("email", "alice@example.com").Build()
	require.NoError(t, err)
	signed, err := jwt.Sign(tok, jwt.WithKey(jwa.HS256(), []byte(secret)))
	require.NoError(t, err)
	return string(signed)
}

// issuer signs tokens with a key that has to be fetched.
type issuer struct{ private jwk.Key }

// newIssuer makes an issuer whose key has this kid. Issuers of different numbers have different
// keys.
func newIssuer(t *testing.T, number int, kid string) issuer {
	t.Helper()
	private, err := jwk.Import(rsaKeys()[number])
	require.NoError(t, err)
	require.NoError(t, private.Set(jwk.KeyIDKey, kid))
	return issuer{private}
}

// token mints a token for alice.
func (i issuer) token(t *testing.T, px *proxytest.Proxy) string {
	t.Helper()
	tok, err := jwt.NewBuilder().Issuer("https://idp.example").Subject("alice").Audience([]string{"orders"}).
		Expiration(time.Unix(0, int64(px.Wall)).Add(time.Hour)).Build()
	require.NoError(t, err)
	signed, err := jwt.Sign(tok, jwt.WithKey(jwa.RS256(), i.private))
	require.NoError(t, err)
	return string(signed)
}

// jwks is a JWK Set with the keys of some issuers.
func jwks(t *testing.T, issuers ...issuer) *proxytest.Answer {
	t.Helper()
	var keys []jwk.Key
	for _, i := range issuers {
		public, err := i.private.PublicKey()
		require.NoError(t, err)
		keys = append(keys, public)
	}
	body, err := json.Marshal(map[string]any{"keys": keys})
	require.NoError(t, err)
	return &proxytest.Answer{Headers: []proxytest.Header{{Name: ":status", Value: "200"}}, Body: body}
}

var rsaKeys = sync.OnceValue(func() (keys [2]*rsa.PrivateKey) {
	for i := range keys {
		var err error
		if keys[i], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			panic(err)
		}
	}
	return keys
})

// claims are the dynamic metadata in which jwt_authn leaves what it verified, or why it didn't.
func claims(t *testing.T, values map[string]any) []byte {
	t.Helper()
	s, err := structpb.NewStruct(values)
	require.NoError(t, err)
	b, err := proto.Marshal(s)
	require.NoError(t, err)
	e := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "jwt")
	e = protowire.AppendBytes(protowire.AppendTag(e, 2, protowire.BytesType), b)
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), e)
}

// exchange is one request through the plugin, as the proxy would play it.
type exchange struct {
	*proxytest.Stream
	admitted bool // the request went on to the upstream
	passed   bool // the upstream's response went on to the client
}

// request describes an exchange. Its headers name a caller that the client made up.
type request struct {
	path, token string
	metadata    []byte
	keys        *proxytest.Answer // the issuer's; nil for none
	trailers    bool
	response    []proxytest.Header
}

// play plays a request. A held request is resumed, or not, by ticks.
func play(px *proxytest.Proxy, p proxy.Plugin, r request) exchange {
	x := exchange{Stream: px.Open(streamID,
		proxytest.Header{Name: ":method", Value: "GET"}, proxytest.Header{Name: ":path", Value: r.path},
		proxytest.Header{Name: ":authority", Value: "api.example"}, proxytest.Header{Name: "x-gatehouse-user-id", Value: "mallory"},
		proxytest.Header{Name: "x_gatehouse_caller", Value: "human"}, proxytest.Header{Name: "x-other", Value: "kept"})}
	if r.token != "" {
		x.Headers[proxy.RequestHeaders] = append(x.Headers[proxy.RequestHeaders], proxytest.Header{Name: "authorization", Value: "Bearer " + r.token})
	}
	x.Properties["source\x00address"] = []byte("192.0.2.1:4711")
	x.Properties["metadata"] = r.metadata
	s := p.NewStream(streamID)
	x.admitted = s.RequestHeaders() == proxy.Continue
	for range 4 {
		if x.admitted || len(x.Replies) > 0 {
			break
		}
		px.Context, px.Mono = pluginID, px.Mono+2e9
		p.Tick()
		for _, c := range slices.Clone(px.Pending) {
			c.End(r.keys)
		}
		px.Context = streamID
		x.admitted = x.Resumed > 0
	}
	if x.admitted && s.RequestBody() != proxy.Continue {
		x.admitted = false
	}
	if x.admitted && r.trailers {
		x.Headers[proxy.RequestTrailers] = []proxytest.Header{{Name: "x-gatehouse-user-id", Value: "mallory"}, {Name: "x-sum", Value: "1"}}
		x.admitted = s.RequestTrailers() == proxy.Continue
	}
	x.finish(px, s, r)
	return x
}

// finish plays the response and the end.
func (x *exchange) finish(px *proxytest.Proxy, s proxy.Stream, r request) {
	code := uint64(200)
	switch {
	case len(x.Replies) > 0:
		code = uint64(x.Replies[0].Status)
		s.ResponseHeaders(false)
	case x.admitted:
		x.Headers[proxy.ResponseHeaders] = slices.Clone(r.response)
		x.passed = s.ResponseHeaders(false) == proxy.Continue
	}
	px.Context = streamID
	x.Properties["response\x00code"] = protowire.AppendFixed64(nil, code)
	s.Done()
	px.Context = pluginID
}

// values are a header's values.
func values(headers []proxytest.Header, name string) (out []string) {
	for _, h := range headers {
		if h.Name == name {
			out = append(out, h.Value)
		}
	}
	return out
}

// startWith starts a plugin over a proxy of the test's own.
func startWith(px *proxytest.Proxy, config string) bool {
	return px.Reusing(plugin.NewVM().New(px, pluginID)).Start([]byte(config))
}
