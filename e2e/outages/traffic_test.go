package outages_test

import (
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/toy"
)

// exchange is a request of the traffic and its answer.
type exchange struct {
	answer
	kind        string
	generation  int // of the key of an inline token
	began, ends time.Time
}

// phase is the time for which a version could judge.
type phase struct {
	version
	generation int       // of the inline provider's keys
	from       time.Time // when it was delivered
	until      time.Time // when no request that began later could meet it; zero for not yet
}

// traffic is requests of every outcome, from clients that keep their connections and from others
// that don't.
type traffic struct {
	rounds  [4]atomic.Int64 // of each client
	done    chan struct{}
	clients sync.WaitGroup

	mu        sync.Mutex
	exchanges []exchange
	phases    []phase
	inline    *toy.Issuer
	tokens    []string // of the inline provider, by generation
}

func startTraffic(t *testing.T, s *scene, v *version, inline *toy.Issuer) *traffic {
	t.Helper()
	tr := &traffic{done: make(chan struct{}), inline: inline}
	tr.rotated(t)
	tr.phases = []phase{{version: *v}}
	good, bob := s.token("alice"), s.token("bob")
	bad, err := toy.Tampered(good)
	require.NoError(t, err)
	url := s.URL("gate", "")
	for i := range tr.rounds {
		c := &http.Client{Transport: &http.Transport{DisableKeepAlives: i%2 == 0}}
		t.Cleanup(c.CloseIdleConnections)
		tr.clients.Go(func() {
			for {
				select {
				case <-tr.done:
					return
				default:
				}
				tr.send(c, "good", url+"/x", good, 0)
				tr.send(c, "none", url+"/x", "", 0)
				tr.send(c, "bad", url+"/x", bad, 0)
				tr.send(c, "open", url+"/open/x", "", 0)
				tr.send(c, "flip", url+"/flip", good, 0)
				tr.send(c, "few", url+"/few", bob, 0)
				tr.mu.Lock()
				tokens := slices.Clone(tr.tokens)
				tr.mu.Unlock()
				for generation, token := range tokens {
					tr.send(c, "inline", url+"/x", token, generation)
				}
				tr.rounds[i].Add(1)
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	return tr
}

func (tr *traffic) send(c *http.Client, kind, url, token string, generation int) {
	began := time.Now()
	a := ask(c, url, token)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.exchanges = append(tr.exchanges, exchange{a, kind, generation, began, time.Now()})
}

// rotated takes note of the inline provider's new keys.
func (tr *traffic) rotated(t *testing.T) {
	t.Helper()
	token, err := tr.inline.Sign(tr.inline.Human("erin", "orders", time.Hour))
	require.NoError(t, err)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.tokens = append(tr.tokens, token)
}

// run lets each client go through some rounds.
func (tr *traffic) run(t *testing.T, rounds int64) {
	t.Helper()
	var want [len(tr.rounds)]int64
	for i := range tr.rounds {
		want[i] = tr.rounds[i].Load() + rounds
	}
	require.Eventually(t, func() bool {
		for i := range tr.rounds {
			if tr.rounds[i].Load() < want[i] {
				return false
			}
		}
		return true
	}, patience, 5*time.Millisecond)
}

// begin says that a version is about to be delivered.
func (tr *traffic) begin(v *version) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.phases = append(tr.phases, phase{version: *v, generation: len(tr.tokens) - 1, from: time.Now()})
}

// finish waits until the version judges all new connections, and each old one has had a request
// after that: with the answer Envoy closes it.
func (tr *traffic) finish(t *testing.T, s *scene, v *version) {
	t.Helper()
	token := s.token("probe")
	require.Eventually(t, func() bool {
		for range 8 {
			c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			if a := ask(c, s.URL("gate", "/x"), token); a.status != http.StatusOK || judgedBy(a) != v.number {
				return false
			}
		}
		return true
	}, patience, 20*time.Millisecond)
	tr.run(t, 2)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.phases[len(tr.phases)-2].until = time.Now()
}

func (tr *traffic) stop() {
	close(tr.done)
	tr.clients.Wait()
}

// check holds each answer against the versions that could have judged its request.
func (tr *traffic) check(t *testing.T) {
	t.Helper()
	met := map[string]map[int]int{}
	for _, e := range tr.exchanges {
		require.NoError(t, e.err, e.kind)
		var right []int
		var versions []int
		for _, p := range tr.phases {
			if p.from.Before(e.ends) && (p.until.IsZero() || e.began.Before(p.until)) {
				right = append(right, e.verdict(p)...)
				versions = append(versions, p.number)
			}
		}
		require.Contains(t, right, e.status, "%s under %v", e.kind, versions)
		if n := judgedBy(e.answer); n >= 0 {
			require.Contains(t, versions, n, e.kind)
		}
		if met[e.kind] == nil {
			met[e.kind] = map[int]int{}
		}
		met[e.kind][e.status]++
	}
	for _, kind := range []string{"flip", "inline", "few"} {
		assert.Len(t, met[kind], 2, "%s was both admitted and refused", kind)
	}
	t.Log(met)
}

// verdict is what the answer may be under one version.
func (e *exchange) verdict(p phase) []int {
	switch e.kind {
	case "none", "bad":
		return []int{http.StatusUnauthorized}
	case "flip":
		if p.machines {
			return []int{http.StatusForbidden}
		}
	case "inline":
		if e.generation != p.generation {
			return []int{http.StatusUnauthorized}
		}
	case "few":
		return []int{http.StatusOK, http.StatusTooManyRequests}
	}
	return []int{http.StatusOK}
}

func (tr *traffic) admitted(kind string) (n int) {
	for _, e := range tr.exchanges {
		if e.kind == kind && e.status == http.StatusOK {
			n++
		}
	}
	return n
}

// answered are the numbers of the requests that got an answer.
func (tr *traffic) answered() map[string]bool {
	out := map[string]bool{}
	for _, e := range tr.exchanges {
		out[e.no] = true
	}
	return out
}
