package core_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jwt"
	"github.com/stretchr/testify/require"

	"gatehouse/core"
	"gatehouse/core/clock"
	"gatehouse/core/config"
	"gatehouse/core/jwks"
	"gatehouse/core/ratelimit"
	"gatehouse/core/reason"
)

// wall is the tests' present.
var wall = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// issuer mints tokens with an independent implementation.
type issuer struct {
	private jwk.Key
	set     string // its JWK Set
}

func newIssuer(t testing.TB, kid string) *issuer {
	t.Helper()
	raw, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	private, err := jwk.Import(raw)
	require.NoError(t, err)
	require.NoError(t, private.Set(jwk.KeyIDKey, kid))
	public, err := private.PublicKey()
	require.NoError(t, err)
	set := jwk.NewSet()
	require.NoError(t, set.AddKey(public))
	doc, err := json.Marshal(set)
	require.NoError(t, err)
	return &issuer{private, string(doc)}
}

// claims are a token's; nil values leave a default out.
type claims map[string]any

func (i *issuer) mint(t testing.TB, c claims) string {
	t.Helper()
	all := claims{"iss": "https://idp.example", "aud": "orders", "sub": "alice", "exp": wall.Add(time.Hour).Unix(), "email": "a@example.com"}
	for name, v := range c {
		all[name] = v
	}
	token := jwt.New()
	for name, v := range all {
		if v != nil {
			require.NoError(t, token.Set(name, v))
		}
	}
	signed, err := jwt.Sign(token, jwt.WithKey(jwa.RS256(), i.private))
	require.NoError(t, err)
	return string(signed)
}

var main = func() func(t testing.TB) *issuer {
	var one *issuer
	return func(t testing.TB) *issuer {
		if one == nil {
			one = newIssuer(t, "k1")
		}
		return one
	}
}()

// gate is a Gate with clocks that the test owns.
type gate struct {
	*core.Gate
	t        testing.TB
	now      time.Duration // since wall, on both clocks
	decision core.Decision
	remote   *remoteKeys
}

type remoteKeys struct {
	set    *jwks.Set
	wanted []reason.Reason // what RequestFetch was told
	comes  bool            // what it answers
}

func (r *remoteKeys) Keys(int) *jwks.Set { return r.set }

func (r *remoteKeys) RequestFetch(_ int, why reason.Reason, _ clock.Mono) bool {
	r.wanted = append(r.wanted, why)
	return r.comes
}

func provider(t testing.TB, more string) string { return providerOf(main(t), more) }

func providerOf(i *issuer, more string) string {
	return `{"name":"main","issuer":"https://idp.example","audiences":["orders"],"algorithms":["RS256"],"jwks":{"inline":` + i.set + `}` + more + `}`
}

// open makes a Gate; the configuration's members are given as JSON, without tokens the main
// issuer's are used.
func open(t testing.TB, members string) *gate {
	t.Helper()
	return openOn(t, ratelimit.NewMemoryStore(), members)
}

// openOn makes it over a store of the test's own.
func openOn(t testing.TB, store ratelimit.Store, members string) *gate {
	t.Helper()
	return openWith(t, core.Host{Store: store}, members)
}

// openWith makes it in a place of the test's own.
func openWith(t testing.TB, host core.Host, members string) *gate {
	t.Helper()
	if !strings.Contains(members, `"tokens"`) {
		members = `"tokens":{"providers":[` + provider(t, "") + `]},` + members
	}
	cfg, err := config.Parse([]byte("{"+members+"}"), nil)
	require.NoError(t, err)
	g := &gate{t: t, remote: &remoteKeys{}}
	host.Remote, host.Mono = g.remote, func() clock.Mono { return g.mono() + 7_000 }
	host.HashKey, host.InstanceID = [16]byte{1}, 0xabc
	g.Gate, err = core.New(cfg, host)
	require.NoError(t, err)
	return g
}

func (g *gate) mono() clock.Mono { return clock.Mono(time.Hour + g.now) }

// request builds a request from "METHOD path" and headers; a token goes into authorization.
func (g *gate) request(line, token string, headers ...string) *core.Request {
	method, path, _ := strings.Cut(line, " ")
	r := &core.Request{
		Method: method, Path: path, Host: "api.example", Source: "192.0.2.1:4711",
		Wall: clock.Wall(wall.Add(g.now).UnixNano()), Mono: g.mono(),
	}
	if token != "" {
		r.Headers = append(r.Headers, core.Header{Name: "authorization", Value: "Bearer " + token})
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Headers = append(r.Headers, core.Header{Name: name, Value: value})
	}
	return r
}

func (g *gate) decide(line, token string, headers ...string) *core.Decision {
	g.Decide(g.request(line, token, headers...), &g.decision)
	return &g.decision
}

// counts are the metrics that have counted something since the last call.
func (g *gate) counts() map[string]uint64 {
	out := map[string]uint64{}
	g.Flush(func(m int, n uint64) { out[g.Metrics().Def(m).Full] += n },
		func(int64) { out[g.Metrics().Def(g.Metrics().ValidationDuration()).Full]++ })
	return out
}

func header(list []core.Header, name string) string {
	var found []string
	for _, h := range list {
		if h.Name == name {
			found = append(found, h.Value)
		}
	}
	return strings.Join(found, " | ")
}

const anyone = `"routes":[{"path":"/**"}]`
