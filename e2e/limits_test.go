package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

// TestTwoWorkersShareOneLimit has each of 20 callers send 400 requests at once over as many
// connections, under the 100 per 60 s of envoy.yaml.
func TestTwoWorkersShareOneLimit(t *testing.T) {
	t.Parallel()
	const callers, each, limit = 20, 400, 100
	issuer, upstream := startIssuer(t, shippedIssuer), startUpstream(t)
	named := func(b envoy.Bootstrap) error { // by default the statistics go by the port, which isn't known yet
		listener, err := b.Listener("gate")
		if err == nil {
			listener["stat_prefix"] = "gate"
		}
		return err
	}
	p := envoy.StartForTest(t, options(t, named, envoy.Endpoint("idp", issuer.Address()), envoy.Endpoint("upstream", upstream.Address())))
	address := p.Address("gate")
	served := workers(t, p, "gate")
	for n := range callers {
		before, started := upstream.Requests(), time.Now()
		answers := atOnce(address, sign(t, issuer, issuer.Human(fmt.Sprintf("caller%d", n), "orders", time.Hour)), each)
		require.Less(t, time.Since(started), 60*time.Second, "the machine is too slow: the window has moved on")

		var remaining []int
		refused := 0
		for _, a := range answers {
			require.NoError(t, a.err)
			switch a.status {
			case http.StatusOK:
				r, err := strconv.Atoi(a.header.Get("X-RateLimit-Remaining"))
				require.NoError(t, err)
				remaining = append(remaining, r)
			case http.StatusTooManyRequests:
				refused++
				checkRefusal(t, a)
			default:
				t.Fatalf("status %d: %s", a.status, a.body)
			}
		}
		require.Len(t, remaining, limit, "caller %d", n)
		require.Equal(t, each-limit, refused, "caller %d", n)
		require.Equal(t, limit, upstream.Requests()-before, "caller %d: what reached the upstream", n)
		slices.Sort(remaining)
		for i, r := range remaining {
			require.Equal(t, i, r, "each admitted request was told another rest of the limit")
		}

		now := workers(t, p, "gate")
		require.Len(t, now, 2)
		for worker, connections := range now {
			assert.Greater(t, connections, served[worker], "caller %d: %s has taken part", n, worker)
		}
		served = now
	}
}

// checkRefusal compares all of a 429 except for its waiting time, which it states four times.
func checkRefusal(t *testing.T, a answer) {
	t.Helper()
	assert.Equal(t, `{"detail": "Rate limit exceeded"}`, a.body)
	wait, err := strconv.Atoi(a.header.Get("Retry-After"))
	require.NoError(t, err)
	assert.True(t, 0 < wait && wait <= 60, wait)
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Cache-Control": "no-store", "X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "0",
		"X-RateLimit-Reset": strconv.Itoa(wait), "RateLimit-Policy": `"per-caller";q=100;w=60`,
		"RateLimit": fmt.Sprintf(`"per-caller";r=0;t=%d`, wait), "WWW-Authenticate": "",
	} {
		assert.Equal(t, want, a.header.Get(name), name)
	}
}

// atOnce sends a number of requests over a connection each. They start together.
func atOnce(address, token string, requests int) []answer {
	answers := make([]answer, requests)
	start := make(chan struct{})
	var ready, done sync.WaitGroup
	for i := range answers {
		ready.Add(1)
		done.Go(func() {
			c := client()
			defer c.CloseIdleConnections()
			ready.Done()
			<-start
			answers[i] = get(c, address, "/", token)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	return answers
}

// workers are the connections that each worker thread has accepted on a listener, by its
// stat_prefix.
func workers(t *testing.T, p *envoy.Process, listener string) map[string]uint64 {
	t.Helper()
	name := "listener." + listener
	stats, err := p.Stats(t.Context(), "^"+name+"[.]worker_[0-9]+[.]downstream_cx_total$")
	require.NoError(t, err)
	out := map[string]uint64{}
	for stat, n := range stats {
		out[strings.TrimSuffix(strings.TrimPrefix(stat, name+"."), ".downstream_cx_total")] = n
	}
	return out
}
