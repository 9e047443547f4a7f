// Package soak_test sends mixed traffic through the gate in Envoy while everything around it
// breaks, and has a checker that shares nothing with Gatehouse prove that the logs and the metrics
// agree.
package soak_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
)

// plan is what a run does. The environment sets it: SOAK_MINUTES (a number, with a fraction if need
// be), SOAK_RATE (requests a second), SOAK_SEED, and SOAK_DIR, in which a folder with the logs
// stays.
type plan struct {
	duration time.Duration
	rate     int64
	seed     uint64
	dir      string
	callers  int
	least    int // requests, however long they take
}

func planned(t *testing.T) plan {
	t.Helper()
	p := plan{duration: 20 * time.Second, rate: 1000, seed: 1, dir: os.Getenv("SOAK_DIR"), callers: 3000}
	if os.Getenv("CI") == "true" {
		p.duration = 3 * time.Minute
	}
	number := func(name string, use func(float64)) {
		if text := os.Getenv(name); text != "" {
			n, err := strconv.ParseFloat(text, 64)
			require.NoError(t, err, name)
			use(n)
		}
	}
	number("SOAK_MINUTES", func(n float64) { p.duration = time.Duration(n * float64(time.Minute)) })
	number("SOAK_RATE", func(n float64) { p.rate = int64(n) })
	number("SOAK_SEED", func(n float64) { p.seed = uint64(n) })
	if p.dir == "" {
		p.dir = t.TempDir()
		return p
	}
	require.NoError(t, os.MkdirAll(p.dir, 0o700))
	dir, err := os.MkdirTemp(p.dir, "run-")
	require.NoError(t, err)
	t.Log("the logs stay in", dir)
	p.dir = dir
	return p
}

// TestSoakLogsAndMetricsAgree takes 20 seconds, and 3 minutes if CI=true.
func TestSoakLogsAndMetricsAgree(t *testing.T) {
	p := planned(t)
	run(t, p)
	report, err := check(t, p.dir)
	t.Logf("%s", report)
	assert.NoError(t, err)
}

// check runs the checker over the record of a run.
func check(t *testing.T, dir string, args ...string) (report string, err error) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("python3 is missing")
		}
		t.Skip("python3 is missing")
	}
	c := exec.Command(python, append(append([]string{filepath.Join("checker", "checker.py")}, args...), dir)...)
	c.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	out, err := c.CombinedOutput()
	return string(out), err
}

// run makes the record of a run in the plan's folder.
func run(t *testing.T, p plan) {
	t.Helper()
	options := envoy.OptionsForTest(t)
	rec := newRecord(t, p.dir)
	random := rand.New(rand.NewPCG(p.seed, 0))
	var issuers []*issuer
	for _, name := range []string{"main", "partner", "flaky"} {
		issuers = append(issuers, startIssuer(t, rec, name))
	}
	sink := startReceiver(t, rec)
	upstream, err := toy.StartUpstream("")
	require.NoError(t, err)
	t.Cleanup(upstream.Stop)
	g := &gate{t: t, rec: rec, dir: t.TempDir()}
	options.Concurrency = 2
	options.Args = []string{"--drain-time-s", "8", "--drain-strategy", "immediate"}
	options.Edits = []envoy.Edit{envoy.Endpoint("upstream", upstream.Address()), envoy.AddCluster(cluster("receiver")), envoy.Endpoint("receiver", sink.address())}
	for _, i := range issuers {
		options.Edits = append(options.Edits, envoy.AddCluster(cluster(i.provider)), envoy.Endpoint(i.provider, i.address()))
	}
	options.Edits = append(options.Edits, envoy.RemoveListener("gate_envoy_jwt"), g.edit)
	process := envoy.StartForTest(t, options)

	l := &load{gate: process.Address("gate"), rec: rec, seed: p.seed, identities: newIdentities(issuers, p.callers, random)}
	l.bad, err = newBadTokens(rec, issuers)
	require.NoError(t, err)
	l.rate.Store(p.rate)
	clocks := watchClocks()
	l.awaitKeys(t, issuers, random)
	l.session(t, p, &faults{
		rec: rec, issuers: issuers, receiver: sink, upstream: upstream, gate: g, load: l, usual: p.rate, random: random,
	})
	settle(t, process)

	metrics, err := process.PrometheusText(t.Context())
	require.NoError(t, err)
	rec.write(t, "metrics.txt", metrics)
	stats, err := process.Stats(t.Context(), "^(http.gate.downstream_rq|listener_manager.lds)")
	require.NoError(t, err)
	require.NoError(t, process.Stop()) // what waits in queues still goes to the receiver
	rec.write(t, "meta.json", object{
		"requests": rec.ids(), "skew_seconds": clocks().Seconds(), "seed": p.seed, "key": keyText, "stats": stats,
	})
	require.NoError(t, rec.close())
	if failed := l.failed.Load(); failed != nil {
		require.NoError(t, *failed)
	}
}

func cluster(name string) string {
	return "name: " + name + "\nload_assignment: {cluster_name: " + name + ", endpoints: []}\n"
}

// session runs load and faults for the planned time, and says every ten seconds how it goes.
func (l *load) session(t *testing.T, p plan, f *faults) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), p.duration)
	defer cancel()
	var running sync.WaitGroup
	running.Go(func() { f.run(ctx) })
	running.Go(func() {
		start := time.Now()
		tick := time.NewTicker(10 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				fmt.Printf("soak: %3.0f s of %.0f s, %d requests: %s\n", time.Since(start).Seconds(), p.duration.Seconds(), l.rec.ids(), l.tally())
			}
		}
	})
	l.run(ctx)
	running.Wait()
	// Some requests more, without faults: worker by worker they carry what waits for a stream's
	// end.
	for again := true; again; again = l.rec.ids() < p.least {
		quiet, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		l.run(quiet)
		cancel()
	}
}

// tally is how many answers had each status.
func (l *load) tally() string {
	var out []string
	for status := range l.statuses {
		if n := l.statuses[status].Load(); n > 0 {
			out = append(out, fmt.Sprintf("%d: %d", status, n))
		}
	}
	return strings.Join(out, ", ")
}

// awaitKeys waits until the gate has the keys of all providers, by requests that are recorded like
// all others.
func (l *load) awaitKeys(t *testing.T, issuers []*issuer, random *rand.Rand) {
	t.Helper()
	deadline := time.Now().Add(patience)
	c := &client{gate: l.gate, source: "127.0.1.1"}
	defer c.close()
	for _, i := range issuers {
		who := &identity{issuer: i, alg: "RS256", claims: func() toy.Claims {
			return i.Human("first", "orders", time.Hour).With("token_use", "access").With("jti", "first")
		}}
		for {
			token, number, err := who.current(l.rec, random)
			require.NoError(t, err)
			id := l.rec.id()
			a := c.do("GET", "/unlimited/x", []string{idHeader, strconv.Itoa(id), "user-agent", "soak", "authorization", "Bearer " + token}, "", stays, 0)
			l.rec.request(line(id, number, "GET", "/unlimited/x", "", &a))
			if a.status == 200 {
				break
			}
			require.True(t, time.Now().Before(deadline), "provider %s gets no keys", i.provider)
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// settle waits until the receiver has all events and the counters have been handed over.
func settle(t *testing.T, p *envoy.Process) {
	t.Helper()
	require.Eventually(t, func() bool {
		stats, err := p.Stats(t.Context(), "gatehouse_audit_queue_events")
		return err == nil && stats["wasmcustom.gatehouse_audit_queue_events"] == 0
	}, 2*patience, 250*time.Millisecond, "events stay in the queue")
	time.Sleep(6 * time.Second) // counters lag by a second at most, Envoy's histograms by five
}

// watchClocks begins to compare the wall clock, which Envoy's logs have, with the monotonic one,
// which limits run on. The function that it returns says by how much they ran apart.
func watchClocks() (apart func() time.Duration) {
	start := time.Now()
	var lowest, highest time.Duration
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				seen := time.Now()
				d := seen.Round(0).Sub(start.Round(0)) - seen.Sub(start)
				lowest, highest = min(lowest, d), max(highest, d)
			}
		}
	}()
	return func() time.Duration {
		close(done)
		<-ended
		return highest - lowest + 20*time.Microsecond
	}
}
