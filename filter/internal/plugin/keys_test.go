package plugin_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/filter/internal/plugin"
	"gatehouse/filter/internal/proxy"
	"gatehouse/filter/internal/proxy/proxytest"
)

const second = 1_000_000_000

// tick plays a tick, later by some seconds.
func tick(px *proxytest.Proxy, p proxy.Plugin, seconds int64) {
	px.Context, px.Mono = pluginID, px.Mono.Add(seconds*second)
	p.Tick()
}

// open opens a stream with a token and returns what it got at once: 0 if it is held, 200 if it was
// admitted.
func open(px *proxytest.Proxy, p proxy.Plugin, id uint32, token string) (status int, s proxy.Stream) {
	stream := px.Open(id, proxytest.Header{Name: ":method", Value: "GET"}, proxytest.Header{Name: ":path", Value: "/orders"},
		proxytest.Header{Name: ":authority", Value: "api.example"}, proxytest.Header{Name: "authorization", Value: "Bearer " + token})
	s = p.NewStream(id)
	if s.RequestHeaders() == proxy.Continue {
		return 200, s
	}
	if len(stream.Replies) > 0 {
		return stream.Replies[0].Status, s
	}
	return 0, s
}

func TestAfterAFailedFetchNobodyWaitsUntilOneHasSucceeded(t *testing.T) {
	for _, mode := range []string{"enforce", "observe"} {
		t.Run(mode, func(t *testing.T) {
			px, p := start(t, strings.Replace(remote, "{", `{"mode": "`+mode+`",`, 1))
			i := newIssuer(t, 0, "a")
			token := i.token(t, px)
			refused := 503
			if mode == "observe" {
				refused = 200
			}
			first, _ := open(px, p, 10, token)
			assert.Zero(t, first, "the first fetch is starting: the request waits")
			tick(px, p, 1)
			require.Len(t, px.Pending, 1)
			px.Pending[0].End(nil) // after the timeout: the provider swallows packets
			tick(px, p, 1)
			assert.Equal(t, refused == 200, px.Streams[10].Resumed == 1, "what waited goes on at once")
			for id := range uint32(3) {
				got, _ := open(px, p, 20+id, token)
				assert.Equal(t, refused, got, "nobody waits for the next fetch, due or under way")
				tick(px, p, 1)
			}
			require.Len(t, px.Pending, 1)
			px.Pending[0].End(jwks(t, i))
			got, _ := open(px, p, 30, token)
			assert.Equal(t, 200, got)
		})
	}
}

// withKeys starts a plugin that has an issuer's keys, and lets min_refetch_seconds pass.
func withKeys(t *testing.T, i issuer) (*proxytest.Proxy, proxy.Plugin) {
	px, p := start(t, remote)
	tick(px, p, 0)
	require.Len(t, px.Pending, 1)
	px.Pending[0].End(jwks(t, i))
	got, _ := open(px, p, 5, i.token(t, px))
	require.Equal(t, 200, got)
	tick(px, p, 11)
	require.Empty(t, px.Pending)
	return px, p
}

func TestARotationWithoutANewKidIsNoticed(t *testing.T) {
	before, after := newIssuer(t, 0, "a"), newIssuer(t, 1, "a")
	px, p := withKeys(t, before)
	token := after.token(t, px)
	got, _ := open(px, p, 10, token)
	assert.Zero(t, got, "the request waits for the refetch that it asked for")
	tick(px, p, 0)
	require.Len(t, px.Pending, 1)
	px.Pending[0].End(jwks(t, after))
	tick(px, p, 0)
	assert.Equal(t, 1, px.Streams[10].Resumed)

	got, _ = open(px, p, 11, before.token(t, px))
	assert.Equal(t, 401, got, "the key has gone, and min_refetch_seconds haven't passed: nobody waits")
	tick(px, p, 1)
	assert.Empty(t, px.Pending)
}

func TestForgedTokensTakeAQuarterOfTheWaitingPlaces(t *testing.T) {
	good, forger := newIssuer(t, 0, "a"), newIssuer(t, 1, "a")
	px, p := withKeys(t, good)
	forged := forger.token(t, px)
	var held []proxy.Stream
	refused := 0
	for id := range uint32(300) {
		got, s := open(px, p, 100+id, forged)
		switch got {
		case 0:
			held = append(held, s)
		case 401:
			refused++
		default:
			require.Fail(t, "neither held nor refused", got)
		}
	}
	assert.Len(t, held, 256)
	assert.Equal(t, 44, refused)
	unknown := newIssuer(t, 1, "b").token(t, px)
	got, _ := open(px, p, 50, unknown)
	assert.Zero(t, got, "a token with an unknown kid has a place of its own")
	px.Context = 100
	held[0].Done() // a client that leaves gives its place back
	got, _ = open(px, p, 51, forged)
	assert.Zero(t, got)
	tick(px, p, 0)
	require.Len(t, px.Pending, 1, "one refetch for all of them")
	px.Pending[0].End(jwks(t, good))
	for range 10 {
		tick(px, p, 0)
	}
	for id := range uint32(299) {
		if s := px.Streams[101+id]; len(s.Replies) != 1 {
			require.Fail(t, "a forged token without an answer")
		}
	}
	tick(px, p, 11)
	got, _ = open(px, p, 52, forged)
	assert.Zero(t, got, "all places are free again")
}

func TestKeysThatShareAKidAreNamedInTheLog(t *testing.T) {
	px, p := start(t, remote)
	a, b := newIssuer(t, 0, "same"), newIssuer(t, 1, "same")
	tick(px, p, 0)
	px.Pending[0].End(jwks(t, a, b))
	var lines []string
	for _, l := range px.Logs {
		lines = append(lines, l.Text)
	}
	assert.Contains(t, lines, `gatehouse: plugin gate: provider main: several keys of the JWK Set have the kid "same"; each that fits a token is tried`)
	for n, i := range []issuer{a, b} {
		got, _ := open(px, p, uint32(10+n), i.token(t, px))
		assert.Equal(t, 200, got)
	}
}

func TestADrainedConfigurationFetchesNoMore(t *testing.T) {
	px, vm := proxytest.New(), plugin.NewVM()
	old := px.Reusing(vm.New(px, 1))
	require.True(t, old.Start([]byte(strings.ReplaceAll(remote, "idp", "wrong"))))
	tick(px, old, 0)
	require.Len(t, px.Pending, 1)
	px.Pending[0].End(nil)
	tick(px, old, 30)
	require.Len(t, px.Pending, 1, "it tries again")
	px.Pending[0].End(nil)

	mended := px.Reusing(vm.New(px, 2))
	require.True(t, mended.Start([]byte(remote)))
	lines := len(px.Logs)
	for range 10 {
		tick(px, old, 60)
	}
	assert.Empty(t, px.Pending)
	assert.Len(t, px.Logs, lines, "the old configuration says no more")
	tick(px, mended, 0)
	require.Len(t, px.Pending, 1)
	assert.Equal(t, "idp", px.Pending[0].Cluster)

	// A connection that is still open may bring requests. Then keys are wanted.
	old.NewStream(7)
	tick(px, old, 1)
	require.Len(t, px.Pending, 2)
	assert.Equal(t, "wrong", px.Pending[1].Cluster)

	// An instance of another name isn't an update.
	px.Name = "other"
	require.True(t, px.Reusing(vm.New(px, 3)).Start([]byte(remote)))
	px.Pending[0].End(nil)
	tick(px, mended, 60)
	assert.Len(t, px.Pending, 2)

	// An update that is withdrawn leaves the configuration before it in its place.
	px.Name = "gate"
	withdrawn := px.Reusing(vm.New(px, 4))
	require.True(t, withdrawn.Start([]byte(remote)))
	for len(px.Pending) > 0 {
		px.Pending[0].End(nil)
	}
	tick(px, mended, 60)
	require.Empty(t, px.Pending)
	withdrawn.Stop()
	tick(px, mended, 60)
	require.Len(t, px.Pending, 1)
	assert.Equal(t, "idp", px.Pending[0].Cluster)
}
