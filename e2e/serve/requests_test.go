package serve_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

// TestManyRequestsOverFourVMsAreAllAnsweredAndLimitsAreExact has each of 1,000 callers send more
// than a limit admits, in bursts that reach all four VMs at once. GATEHOUSE_LONG=1 sends 100,000
// requests.
func TestManyRequestsOverFourVMsAreAllAnsweredAndLimitsAreExact(t *testing.T) {
	const callers, connections, burst = 1000, 32, 10
	each, limit := 20, 12
	if long() {
		each, limit = 100, 60
	}
	total := callers * each
	issuer := startIssuer(t)
	requests := make([][]byte, callers)
	for i := range requests {
		requests[i] = getRequest("/"+strconv.Itoa(i), tokenFor(t, issuer, i))
	}
	audit, err := os.Create(filepath.Join(t.TempDir(), "audit.jsonl"))
	require.NoError(t, err)
	defer func() { _ = audit.Close() }()
	behind := startUpstream(t)
	g := startServe(t, audit, nil, object{
		"tokens":      inlineKeys(t, issuer),
		"routes":      []any{object{"name": "all", "path": "/**"}},
		"rate_limits": []any{object{"name": "per-caller", "max_requests": limit, "window_seconds": 86400}},
	}, behind.url(), "--workers", "4")

	var sent atomic.Int64
	admitted, refused := make([]atomic.Int64, callers), make([]atomic.Int64, callers)
	var mu sync.Mutex
	var failures []error
	var rss []int64 // at each twentieth of the load
	var group sync.WaitGroup
	began := time.Now()
	for range connections {
		group.Go(func() {
			var caller int
			err := converse(g.address, func(dst []byte) []byte {
				n := int(sent.Add(1)) - 1
				if n >= total {
					return nil
				}
				if n%(total/20) == 0 {
					now, err := envoy.RSS(g.cmd.Process.Pid)
					mu.Lock()
					rss, failures = append(rss, now), append(failures, err)
					mu.Unlock()
				}
				caller = n / burst % callers
				return append(dst, requests[caller]...)
			}, func(status int) {
				switch status {
				case http.StatusOK:
					admitted[caller].Add(1)
				case http.StatusTooManyRequests:
					refused[caller].Add(1)
				default:
					mu.Lock()
					failures = append(failures, errors.New("status "+strconv.Itoa(status)))
					mu.Unlock()
				}
			})
			mu.Lock()
			failures = append(failures, err)
			mu.Unlock()
		})
	}
	group.Wait()
	took := time.Since(began)
	require.NoError(t, errors.Join(failures...))
	last, err := envoy.RSS(g.cmd.Process.Pid)
	require.NoError(t, err)
	rss = append(rss, last)
	t.Logf("%d requests in %s, %.0f/s", total, took.Round(time.Second/10), float64(total)/took.Seconds())
	memoryIsFlat(t, rss)
	for i := range callers {
		require.EqualValues(t, limit, admitted[i].Load(), "caller %d", i)
		require.EqualValues(t, each-limit, refused[i].Load(), "caller %d", i)
	}
	assert.EqualValues(t, callers*limit, behind.requests.Load(), "what the upstream got")
	g.series(t,
		fmt.Sprintf(`gatehouse_requests_total{route="all",decision="admitted"} %d`, callers*limit),
		fmt.Sprintf(`gatehouse_rate_limit_decisions_total{rule="per_caller",decision="limited"} %d`, total-callers*limit),
		fmt.Sprintf(`gatehouse_tokens_validated_total{} %d`, total),
	)
	g.stop(t)
	everyRequestIsAudited(t, audit.Name(), callers, limit, each-limit)
}

// memoryIsFlat reads a process's resident memory at even steps of a load. It grows until each VM
// has verified each caller's token once and its heap has reached the size at which it is collected,
// which takes some 20,000 requests. After that it must not grow.
func memoryIsFlat(t *testing.T, rss []int64) {
	t.Helper()
	most := slices.Max(rss)
	t.Logf("resident memory: %.0f MB at the start, at most %.0f MB", megabytes(rss[0]), megabytes(most))
	assert.Less(t, most, int64(400<<20))
	if long() {
		settled := rss[len(rss)*3/10:]
		least, most := slices.Min(settled), slices.Max(settled)
		t.Logf("after 30 %% of the load between %.1f and %.1f MB, at the end %.1f MB", megabytes(least), megabytes(most), megabytes(rss[len(rss)-1]))
		assert.Less(t, most-least, int64(16<<20))
	}
}

// long makes the tests send as many requests as the documented figures assume.
func long() bool { return os.Getenv("GATEHOUSE_LONG") == "1" }

func megabytes(n int64) float64 { return float64(n) / (1 << 20) }

// everyRequestIsAudited reads the audit lines: one for each request, and no request twice.
func everyRequestIsAudited(t *testing.T, path string, callers, admitted, refused int) {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	type outcome struct {
		event, caller string
	}
	count, ids := map[outcome]int{}, map[string]bool{}
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			require.Empty(t, line, "half a line")
			break
		}
		require.NoError(t, err)
		var e struct {
			Type     string `json:"event_type"`
			UserID   string `json:"user_id"`
			Path     string
			Metadata struct {
				EventID string `json:"event_id"`
			}
		}
		require.NoError(t, json.Unmarshal(line, &e), "%s", line)
		require.Equal(t, "/"+e.UserID[len("caller"):], e.Path)
		require.False(t, ids[e.Metadata.EventID], "an event twice: %s", line)
		ids[e.Metadata.EventID] = true
		count[outcome{e.Type, e.UserID}]++
	}
	require.Len(t, ids, callers*(admitted+refused))
	for i := range callers {
		name := "caller" + strconv.Itoa(i)
		require.Equal(t, admitted, count[outcome{"auth_success", name}], name)
		require.Equal(t, refused, count[outcome{"rate_limited", name}], name)
	}
}
