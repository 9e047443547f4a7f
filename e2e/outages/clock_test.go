package outages_test

import (
	"encoding/binary"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
)

// wallClock is the wall clock that an Envoy sees.
type wallClock struct {
	t           *testing.T
	library     string
	file        string
	environment []string
}

// newWallClock builds the library that shifts a program's clock. It skips the test where there is
// no C compiler.
func newWallClock(t *testing.T) *wallClock {
	t.Helper()
	compiler, err := exec.LookPath("cc")
	if err != nil {
		const missing = "cc is missing: install Debian's package gcc"
		if os.Getenv("CI") == "true" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	dir := t.TempDir()
	w := &wallClock{t: t, library: filepath.Join(dir, "wallclock.so"), file: filepath.Join(dir, "shift")}
	out, err := exec.CommandContext(t.Context(), compiler, "-O2", "-shared", "-fPIC", "-o", w.library, "testdata/wallclock.c").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NoError(t, os.WriteFile(w.file, make([]byte, 8), 0o600))
	w.environment = []string{"LD_PRELOAD=" + w.library, "WALL_CLOCK_SHIFT=" + w.file}
	return w
}

// shift makes the clock differ from this program's.
func (w *wallClock) shift(by time.Duration) {
	w.t.Helper()
	file, err := os.OpenFile(w.file, os.O_WRONLY, 0)
	require.NoError(w.t, err)
	defer func() { _ = file.Close() }()
	_, err = file.Write(binary.NativeEndian.AppendUint64(nil, uint64(int64(by/time.Second)))) // in place: the page is mapped
	require.NoError(w.t, err)
}

// TestAWallClockThatJumps moves Envoy's wall clock forward and back under traffic. Tokens follow
// it; limits, the fetches of keys and durations don't.
func TestAWallClockThatJumps(t *testing.T) {
	t.Parallel()
	wall := newWallClock(t)
	const window = 8 * time.Second
	s := start(t, func(s *scene, o *envoy.Options) {
		if o.Binary.Image != "" {
			t.Skip("this Envoy runs in a container, without the library that shifts its clock")
		}
		s.issuer.Misbehave(toy.Fault{CacheControl: "max-age=2"})
		o.Env = wall.environment
		o.Edits = append(o.Edits, s.gate("gate", `{
			"tokens": {"providers": [{"name": "main", "issuer": "`+issuerName+`", "audiences": ["orders"], "algorithms": ["RS256"],
				"jwks": {"cluster": "idp", "uri": "http://idp.example/jwks.json", "min_refetch_seconds": 1, "refresh_seconds": 60, "max_stale_seconds": 60}}]},
			"routes": [{"name": "few", "path": "/few", "rate_limits": ["few"]}, {"name": "rest", "path": "/**"}],
			"rate_limits": [{"name": "few", "max_requests": 5, "window_seconds": 8, "apply": "by_name"}]}`))
	})
	c := connection(t)
	lasting := func(lifetime time.Duration) string {
		token, err := s.issuer.Sign(s.issuer.Human("alice", "orders", lifetime))
		require.NoError(t, err)
		return token
	}
	day, days, bob := lasting(12*time.Hour), lasting(72*time.Hour), lasting(200*365*24*time.Hour)
	already, err := s.issuer.Sign(s.issuer.Human("alice", "orders", 72*time.Hour).With("nbf", time.Now().Unix()))
	require.NoError(t, err)
	want := func(token string, status int, why string) {
		t.Helper()
		a := ask(c, s.URL("gate", "/x"), token)
		require.NoError(t, a.err)
		require.Equal(t, status, a.status, why)
	}
	limited := func() (status, wait int) {
		t.Helper()
		a := ask(c, s.URL("gate", "/few"), bob)
		require.NoError(t, a.err)
		wait, _ = strconv.Atoi(a.header.Get("Retry-After"))
		return a.status, wait
	}
	// jump moves the clock in the middle of a request.
	jump := func(by time.Duration) {
		t.Helper()
		held := make(chan answer, 1)
		go func() { held <- ask(c, s.URL("gate", "/held"), bob) }()
		require.Eventually(t, func() bool { return s.upstream.waiting.Load() == 1 }, patience, 5*time.Millisecond)
		wall.shift(by)
		require.Eventually(t, func() bool {
			at, err := http.ParseTime(ask(c, s.URL("gate", "/x"), "").header.Get("Date"))
			return err == nil && time.Until(at.Add(-by)).Abs() < time.Minute
		}, patience, 100*time.Millisecond, "Envoy's clock has moved")
		s.upstream.release()
		require.Equal(t, http.StatusOK, (<-held).status)
	}
	fetchesGoOn := func() {
		t.Helper()
		fetches := s.issuer.Fetches()
		require.Eventually(t, func() bool { return s.issuer.Fetches() >= fetches+2 }, patience, 50*time.Millisecond)
	}
	// full uses up bob's allowance between two moments.
	full := func() (since, until time.Time) {
		t.Helper()
		since = time.Now()
		for range 5 {
			status, _ := limited()
			require.Equal(t, http.StatusOK, status)
		}
		return since, time.Now()
	}

	want(day, http.StatusOK, "now")
	want(already, http.StatusOK, "now")
	since, until := full()
	for _, by := range []time.Duration{24 * time.Hour, -time.Hour, 100 * 365 * 24 * time.Hour, -time.Duration(time.Now().Unix()-1000) * time.Second} {
		t.Log("the clock shifts by ", by)
		jump(by)
		status, wait := limited()
		if time.Since(since) < window-time.Second { // else the machine is slow
			require.Equal(t, http.StatusTooManyRequests, status, "a jump frees nobody")
			require.LessOrEqual(t, wait, int(window/time.Second), "and locks nobody out for longer")
			require.Positive(t, wait)
			want := map[bool]int{true: http.StatusUnauthorized, false: http.StatusOK}[by > 12*time.Hour]
			a := ask(c, s.URL("gate", "/x"), day)
			require.Equal(t, want, a.status, "exp, for a token from the cache too")
		}
		want(days, map[bool]int{true: http.StatusUnauthorized, false: http.StatusOK}[by > 72*time.Hour], "exp")
		want(already, map[bool]int{true: http.StatusOK, false: http.StatusUnauthorized}[by == 24*time.Hour], "nbf and exp")
		fetchesGoOn()
		time.Sleep(time.Until(until.Add(window)))
		since, until = full()
	}
	jump(0)
	want(day, http.StatusOK, "the clock is right again")

	v := verify(t, s.auditLog("gate"))
	assert.True(t, v.OK)
	for _, e := range events(t, s.auditLog("gate")) {
		require.GreaterOrEqual(t, e.Metadata.Duration, 0.0)
		require.Less(t, e.Metadata.Duration, float64(patience.Milliseconds()), "durations are the monotonic clock's")
	}
}
