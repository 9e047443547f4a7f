// Package e2e_test runs Gatehouse from end to end.
package e2e_test

import (
	"context"
	"flag"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
	"gatehouse/e2e/scenario"
	"gatehouse/e2e/scenario/native"
	"gatehouse/e2e/scenario/real"
	"gatehouse/e2e/scenario/sim"
	"gatehouse/hostsim"
	"gatehouse/hostsim/hostsimtest"
)

const directory = "testdata/scenarios"

// These are for work on scenarios. Without them all runners execute all scenarios.
var (
	only    = flag.String("scenario", "", "run the scenarios whose file or name match this `expression`")
	runners = flag.String("runners", strings.Join(scenario.Runners, ","), "run these `runners` alone")
)

const (
	// envoys is the number of Envoys that share the scenarios at the same time: mostly they wait
	// for counters.
	envoys = 2
	// again is the number of further Envoys that may start for scenarios in which a busy machine
	// was late.
	again = 4
)

// run is one execution of scenarios by all runners.
type run struct {
	issuer *toy.Issuer
	wasm   string
	rows   []*scenario.Row

	mu   sync.Mutex
	errs map[*scenario.Row]map[string]error
}

func (r *run) add(row *scenario.Row, runner string, o *scenario.Observation, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		if r.errs[row] == nil {
			r.errs[row] = map[string]error{}
		}
		r.errs[row][runner] = err
		return
	}
	row.Seen[runner] = o
}

// seen is what a runner saw, if it has run.
func (r *run) seen(row *scenario.Row, runner string) *scenario.Observation {
	r.mu.Lock()
	defer r.mu.Unlock()
	return row.Seen[runner]
}

// TestScenariosAreTheSameInCoreHostsimAndEnvoy is the table of three columns.
func TestScenariosAreTheSameInCoreHostsimAndEnvoy(t *testing.T) {
	active := map[string]bool{}
	for _, name := range strings.Split(*runners, ",") {
		active[name] = true
	}
	r := newRun(t, func(*scenario.Scenario) bool { return true })
	if active[scenario.Core] {
		r.inCore()
	}
	var running sync.WaitGroup
	if active[scenario.Envoy] && os.Getenv("GATEHOUSE_E2E") != "off" {
		binary := envoy.ForTest(t)
		running.Go(func() { r.inEnvoys(t, binary) })
	}
	if active[scenario.Hostsim] {
		r.inHostsim(t)
	}
	running.Wait()
	r.report(t, len(active) == len(scenario.Runners))
}

// TestScenariosAreTheSameInTheOldestEnvoy leaves out scenarios that need time to pass, which works
// the same in every Envoy.
func TestScenariosAreTheSameInTheOldestEnvoy(t *testing.T) {
	binary := envoy.OldestForTest(t)
	r := newRun(t, func(s *scenario.Scenario) bool { return !s.Waits() })
	r.inCore()
	r.inEnvoys(t, binary)
	r.report(t, false)
}

// newRun selects the scenarios that the flags ask for and want accepts.
func newRun(t *testing.T, wanted func(*scenario.Scenario) bool) *run {
	t.Helper()
	r := &run{errs: map[*scenario.Row]map[string]error{}}
	all, err := scenario.Load(directory)
	require.NoError(t, err)
	asked, err := regexp.Compile(*only)
	require.NoError(t, err)
	for _, s := range all {
		if asked.MatchString(s.File+": "+s.Name) && wanted(s) {
			r.rows = append(r.rows, &scenario.Row{Scenario: s, Seen: map[string]*scenario.Observation{}, Failed: map[string]bool{}})
		}
	}
	r.wasm, err = envoy.BuildFilter(t.Context())
	require.NoError(t, err)
	r.issuer, err = toy.StartIssuer("", scenario.IssuerName)
	require.NoError(t, err)
	t.Cleanup(r.issuer.Stop)
	return r
}

func (r *run) inCore() {
	for _, row := range r.rows {
		if ok, _ := row.Scenario.RunsIn(scenario.Core); ok {
			o, err := native.Run(row.Scenario, r.issuer)
			r.add(row, scenario.Core, o, err)
		}
	}
}

func (r *run) inHostsim(t *testing.T) {
	wasm, err := os.ReadFile(r.wasm)
	if !assert.NoError(t, err) {
		return
	}
	ctx := context.WithoutCancel(t.Context())
	module, err := hostsim.Compile(ctx, wasm, hostsimtest.CacheDir())
	if !assert.NoError(t, err) {
		return
	}
	defer func() { assert.NoError(t, module.Close(ctx)) }()
	for _, row := range r.rows {
		if ok, _ := row.Scenario.RunsIn(scenario.Hostsim); ok {
			o, err := sim.Run(ctx, module, row.Scenario, r.issuer)
			r.add(row, scenario.Hostsim, o, err)
		}
	}
}

// inEnvoys runs all scenarios in some Envoys. A scenario that needs time to pass proves nothing if
// a busy machine was late. It is run again until the machine is in time, each time in another
// Envoy, because the limits in the last one have counted its requests.
func (r *run) inEnvoys(t *testing.T, binary envoy.Binary) {
	parts := make([][]*scenario.Row, envoys)
	for i, row := range r.rows {
		if ok, _ := row.Scenario.RunsIn(scenario.Envoy); ok {
			parts[i%envoys] = append(parts[i%envoys], row)
		}
	}
	var running sync.WaitGroup
	for _, rows := range parts {
		running.Go(func() { r.inEnvoy(t, binary, rows) })
	}
	running.Wait()
	for range again {
		late := slices.DeleteFunc(slices.Clone(r.rows), func(row *scenario.Row) bool {
			o := r.seen(row, scenario.Envoy)
			return o == nil || !row.Scenario.Waits() || !o.Late()
		})
		if len(late) == 0 {
			return
		}
		t.Logf("%d scenarios were late", len(late))
		r.inEnvoy(t, binary, late)
	}
}

// inEnvoy runs scenarios in one Envoy.
func (r *run) inEnvoy(t *testing.T, binary envoy.Binary, rows []*scenario.Row) {
	if len(rows) == 0 {
		return
	}
	scenarios := make([]*scenario.Scenario, len(rows))
	for i, row := range rows {
		scenarios[i] = row.Scenario
	}
	begin := time.Now()
	p, err := real.Start(t.Context(), binary, r.wasm, r.issuer, scenarios)
	if !assert.NoError(t, err) {
		return
	}
	defer p.Stop()
	t.Logf("an Envoy for %d scenarios serves after %.1f s", len(rows), time.Since(begin).Seconds())
	for _, row := range rows {
		var want map[string]uint64
		if o := r.seen(row, scenario.Core); o != nil {
			want = o.Metrics
		}
		o, err := p.Run(t.Context(), row.Scenario, want)
		r.add(row, scenario.Envoy, o, err)
	}
	t.Logf("and has run them after %.1f s", time.Since(begin).Seconds())
	rest, err := p.Rest(t.Context())
	assert.NoError(t, err)
	assert.Empty(t, rest, "counters that moved when all was over")
}

// report prints the table and fails the test for each scenario that went wrong.
func (r *run) report(t *testing.T, complete bool) {
	for _, row := range r.rows {
		t.Run(row.Scenario.File+"/"+row.Scenario.Name, func(t *testing.T) { r.checkRow(t, row, complete) })
	}
	t.Log("\n" + scenario.Table(r.rows))
}

// checkRow compares the runners' observations with the file and with each other. If all runners
// have run, at least one must have executed the scenario.
func (r *run) checkRow(t *testing.T, row *scenario.Row, complete bool) {
	for runner, err := range r.errs[row] {
		row.Failed[runner] = true
		t.Errorf("%s: %v", runner, err)
	}
	for i, runner := range scenario.Runners {
		o := row.Seen[runner]
		if o == nil {
			continue
		}
		for _, problem := range row.Scenario.Check(runner, o) {
			row.Failed[runner] = true
			t.Errorf("%s: %s", runner, problem)
		}
		for _, other := range scenario.Runners[:i] {
			if row.Seen[other] == nil {
				continue
			}
			for _, difference := range scenario.Compare(row.Seen[other], o) {
				row.Failed[runner] = true
				t.Errorf("%s and %s differ: %s", other, runner, difference)
			}
		}
	}
	if complete && len(row.Seen) == 0 && len(r.errs[row]) == 0 {
		t.Error("no runner executes it")
	}
}

// TestNoTwoScenariosShareALimit keeps scenarios apart in Envoy, where all live in one VM: the state
// of a limit is found by its name, windows and identifier.
func TestNoTwoScenariosShareALimit(t *testing.T) {
	all, err := scenario.Load(directory)
	require.NoError(t, err)
	owners := map[string]string{}
	for _, s := range all {
		names := map[string]string{}
		for _, name := range s.Limits() {
			assert.Empty(t, owners[name], "%s and this one have a limit %q: %s", owners[name], name, s.Name)
			names[name] = s.Name
		}
		maps.Copy(owners, names)
	}
	assert.NotEmpty(t, owners)
}
