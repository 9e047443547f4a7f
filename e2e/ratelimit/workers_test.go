package ratelimit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

// open is a route that asks for no token.
func open(path string, cost int, limits ...any) object {
	return object{"path": path, "auth": "none", "cost": cost, "rate_limits": limits}
}

// TestAClientThatObeysRetryAfterInEnvoyIsAdmitted is what hostsim shows a thousand times, in real
// time: 50 callers at once each send until they are refused, wait for as long as they are told, and
// are admitted.
func TestAClientThatObeysRetryAfterInEnvoyIsAdmitted(t *testing.T) {
	const callers = 50
	p := startEnvoy(t, 2, object{
		"routes": []any{
			open("/one", 1, "one"), open("/windows", 1, "windows"), open("/both", 2, "one", "costly"), open("/costly", 3, "costly"),
		},
		"rate_limits": []any{
			object{"name": "one", "max_requests": 2, "window_seconds": 1, "identifier": []any{"header:x-key"}},
			object{"name": "windows", "identifier": []any{"header:x-key"}, "windows": []any{
				object{"max_requests": 2, "window_seconds": 1}, object{"max_requests": 3, "window_seconds": 2},
			}},
			object{"name": "costly", "max_requests": 7, "window_seconds": 2, "identifier": []any{"header:x-key"}},
		},
		"audit": object{"enabled": false},
	}, envoy.AccessLog("gate", "/dev/null"))
	paths := []string{"/one", "/windows", "/both", "/costly"}

	outcomes := make(chan error, callers)
	for n := range callers {
		c := connect(t, p.Address("gate"))
		go func() { outcomes <- obey(c, get(nil, paths[n%len(paths)], "x-key", strconv.Itoa(n))) }()
	}
	admitted := 0
	for range callers {
		if err := <-outcomes; err != nil {
			t.Error(err)
		} else {
			admitted++
		}
	}
	t.Logf("%d of %d were admitted", admitted, callers)
}

// obey sends a request until it is refused, waits as the refusal says, and sends it again.
func obey(c *client, request []byte) error {
	a := answer{status: http.StatusOK}
	for a.status == http.StatusOK {
		var err error
		if a, err = c.do(request); err != nil {
			return err
		}
	}
	seconds, err := strconv.Atoi(a.retryAfter)
	if err != nil || a.status != http.StatusTooManyRequests {
		return fmt.Errorf("status %d, retry-after %q: %w", a.status, a.retryAfter, err)
	}
	<-time.After(time.Duration(seconds) * time.Second)
	if a, err = c.do(request); err == nil && a.status != http.StatusOK {
		err = fmt.Errorf("status %d after waiting for %d s", a.status, seconds)
	}
	return err
}

// TestRefundsNeverOverAdmit has two workers charge a caller's limit and then one that all
// share, which refuses most: each refusal takes the caller's charge back while others are being
// charged.
func TestRefundsNeverOverAdmit(t *testing.T) {
	const callers, perCaller = 12, 12
	logPath := filepath.Join(t.TempDir(), "access.log")
	p := startEnvoy(t, 2, object{
		"routes": []any{open("/storm", 1, "caller", "total"), open("/look", 1, "caller")},
		"rate_limits": []any{
			object{"name": "caller", "max_requests": perCaller, "window_seconds": 120, "identifier": []any{"header:x-caller"}},
			object{"name": "total", "max_requests": 60, "window_seconds": 2, "identifier": []any{"global"}},
		},
		"audit": object{"enabled": false},
	}, bracketed(logPath))

	var sent result
	skew := skewOf(t, func() {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		l := load{address: p.Address("gate"), connections: 64, request: func(dst []byte, random *rand.Rand) []byte {
			return get(dst, "/storm", "x-caller", "caller/"+strconv.Itoa(random.IntN(callers)))
		}}
		sent = l.run(ctx, t)
	})
	t.Logf("%s", sent)
	awaitLines(t, logPath, sent.total())
	text, err := os.ReadFile(logPath)
	require.NoError(t, err)

	// Every caller has what its admitted requests have left, as if the refused ones had never been.
	admitted := map[string]int{}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); fields[3] != "-" {
			admitted[fields[0]]++
		}
	}
	c := connect(t, p.Address("gate"))
	for n := range callers {
		name := "caller/" + strconv.Itoa(n)
		left := perCaller - admitted[name]
		a, err := c.do(get(nil, "/look", "x-caller", name))
		require.NoError(t, err)
		if left == 0 {
			assert.Equal(t, http.StatusTooManyRequests, a.status, "%s", name)
		} else {
			assert.Equal(t, strconv.Itoa(left-1), a.remaining, "%s", name)
		}
	}

	// Neither limit ever held more than it may. The second log proves the same for all callers
	// together.
	together := filepath.Join(t.TempDir(), "together.log")
	require.NoError(t, os.WriteFile(together, []byte(replaceCallers(string(text))), 0o600))
	for _, proven := range [][]group{
		windowcheck(t, logPath, skew, "-limit", "caller=12/120s"),
		windowcheck(t, together, skew, "-limit", "all=60/2s"),
	} {
		require.Len(t, proven, 1)
		t.Logf("%s", toJSON(t, proven[0]))
		assert.Zero(t, proven[0].Windows[0].Over)
		assert.Positive(t, proven[0].Windows[0].Full, "the limit didn't bite")
	}
}

// replaceCallers makes every line of a log one caller's.
func replaceCallers(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		_, rest, _ := strings.Cut(line, " ")
		b.WriteString("all/one " + rest)
	}
	return b.String()
}

// TestALimitBeforeAuthIsExact floods a limit by address with good and bad tokens: it lets exactly
// its maximum pass, whatever becomes of them afterwards, and none of them gets its charge back.
func TestALimitBeforeAuthIsExact(t *testing.T) {
	const requests, before, perCaller, callers = 1500, 400, 5, 10
	issuer, endpoint := startIssuer(t)
	p := startEnvoy(t, 2, object{
		"tokens": tokens(),
		"routes": []any{object{"path": "/**"}},
		"rate_limits": []any{
			object{"name": "address", "max_requests": before, "window_seconds": 600, "identifier": []any{"ip"}, "when": "before_auth"},
			object{"name": "caller", "max_requests": perCaller, "window_seconds": 600},
		},
		"audit": object{"log": "none"},
	}, endpoint)
	var all [][]byte
	for n := range callers {
		token, err := issuer.Sign(issuer.Human("caller"+strconv.Itoa(n), "orders", time.Hour))
		require.NoError(t, err)
		all = append(all, get(nil, "/", "authorization", "Bearer "+token))
	}
	all = append(all, get(nil, "/", "authorization", "Bearer not.a.token"))

	var next atomic.Int64
	l := load{address: p.Address("gate"), connections: 64, request: func(dst []byte, _ *rand.Rand) []byte {
		n := int(next.Add(1)) - 1
		if n >= requests {
			return nil
		}
		return append(dst, all[n%len(all)]...)
	}}
	sent := l.run(t.Context(), t)
	t.Logf("%s", sent)
	require.Equal(t, requests, sent.total())

	refusedBy := map[string]int{}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for i, from := 0, 0; i < requests; i++ {
		line, next, err := p.Stdout.Wait(ctx, from, func(line string) bool { return strings.HasPrefix(line, "{") })
		require.NoError(t, err)
		from = next
		var event struct {
			Metadata struct {
				Rule string `json:"rule"`
			} `json:"metadata"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &event), line)
		refusedBy[event.Metadata.Rule]++
	}
	assert.Equal(t, requests-before, refusedBy["address"])
	assert.Equal(t, callers*perCaller, sent.statuses[http.StatusOK])
	assert.Equal(t, before, sent.statuses[http.StatusOK]+sent.statuses[http.StatusUnauthorized]+refusedBy["caller"],
		"what has passed the address's limit")
	assert.Positive(t, sent.statuses[http.StatusUnauthorized])
}
