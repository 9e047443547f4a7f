package hostsim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/hostsim"
	"gatehouse/hostsim/abi"
)

func TestEachThreadStartsThePluginAfterACanary(t *testing.T) {
	logs := &journal{}
	h, err := hostsim.New(t.Context(), probeModule(t), hostsim.Options{
		Plugins: []hostsim.Plugin{{Name: "probe", VMID: "vm", Config: []byte("config"), VMConfig: []byte("vm config"), Env: map[string]string{"PROBE": "here"}}},
		Workers: 2,
		Log:     logs.add,
	})
	require.NoError(t, err)
	defer h.Close()
	var order []int
	for _, e := range logs.entries {
		if strings.HasPrefix(e.Message, "configure root") {
			order = append(order, e.Worker)
		}
	}
	assert.Equal(t, []int{hostsim.Canary, hostsim.MainThread, 0, 1}, order)
	assert.Equal(t, []string{`vm_start root 9 "vm config" 0 plugin config 1 env here`}, logs.of(1, "vm_start"))
	assert.Equal(t, 2, h.Workers())
	assert.NotZero(t, h.MemoryBytes(1, "probe"))
}

func TestARefusedConfigurationIsAnErrorFromTheCanary(t *testing.T) {
	logs := &journal{}
	_, err := hostsim.New(t.Context(), probeModule(t), hostsim.Options{
		Plugins: []hostsim.Plugin{{Name: "probe", Config: []byte("please refuse")}},
		Log:     logs.add,
	})
	require.ErrorIs(t, err, hostsim.ErrConfig)
	assert.ErrorContains(t, err, `plugin "probe": proxy_on_configure failed`)
	assert.Empty(t, logs.of(hostsim.MainThread, ""), "no other thread may have started it")
}

func TestAHostNeedsPluginsOfDifferentNames(t *testing.T) {
	_, err := hostsim.New(t.Context(), probeModule(t), hostsim.Options{})
	require.Error(t, err)
	_, err = hostsim.New(t.Context(), probeModule(t), hostsim.Options{Plugins: []hostsim.Plugin{{Name: "a"}, {Name: "a"}}})
	require.ErrorContains(t, err, `two plugins named "a"`)
}

func TestAModuleThatIsNoFilterIsRefused(t *testing.T) {
	for name, wasm := range map[string][]byte{
		"not wasm":     []byte("nothing"),
		"empty module": {0, 'a', 's', 'm', 1, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := hostsim.Compile(t.Context(), wasm, "")
			assert.ErrorIs(t, err, hostsim.ErrModule)
		})
	}
}

func TestAMissingHostFunctionKeepsTheModuleFromLoading(t *testing.T) {
	_, err := hostsim.New(t.Context(), probeModule(t), hostsim.Options{
		Plugins: []hostsim.Plugin{{Name: "probe"}},
		Faults:  hostsim.Faults{MissingHostFunctions: []string{"proxy_get_log_level"}},
	})
	require.ErrorIs(t, err, hostsim.ErrModule)
	assert.ErrorContains(t, err, "missing import: env.proxy_get_log_level")
	assert.Equal(t, abi.Version021, probeModule(t).ABIVersion())
}

func TestPluginsWithOneVMIDShareAVM(t *testing.T) {
	plugin := func(name, vmID string) hostsim.Plugin {
		return hostsim.Plugin{Name: name, RootID: name + "-root", VMID: vmID, Config: []byte(name)}
	}
	h, _, logs := probeHost(t, func(o *hostsim.Options) {
		o.Plugins = []hostsim.Plugin{plugin("one", "shared"), plugin("two", "shared"), plugin("three", "own")}
	})
	h.Trap(0, "one")
	assert.True(t, h.Failed(0, "two"), "it lives in the same VM")
	assert.False(t, h.Failed(0, "three"))
	assert.False(t, h.Failed(hostsim.MainThread, "one"), "each thread has VMs of its own")
	logs.take()
	s := h.RoundTrip(0, hostsim.Request{Plugin: "three", Path: "/props"}, answer)
	assert.Equal(t, "three", s.Plugin())
	all := logs.take()
	assert.Contains(t, all, `props plugin_name "three" 0`)
	assert.Contains(t, all, `props plugin_root_id "three-root" 0`)
	assert.Contains(t, all, `props plugin_vm_id "own" 0`)
}

func TestCloseTellsEachPluginContext(t *testing.T) {
	h, clock, logs := probeHost(t, nil)
	s := h.Stream(0, hostsim.Request{Path: "/tick"})
	s.RequestHeaders(true)
	h.Close()
	h.Close()
	logs.take()
	clock.Advance(time.Minute)
	s.Reset("downstream_remote_disconnect")
	assert.Empty(t, logs.take(), "nothing may run in a closed host")
}

func TestTheGuestSeesTheClocksThatTheTestOwns(t *testing.T) {
	clock := hostsim.NewManualClock(epoch)
	start := clock.Monotonic()
	clock.SetWall(epoch.Add(-time.Hour))
	assert.Equal(t, start, clock.Monotonic(), "a wall clock jump leaves the monotonic one alone")
	var ran []time.Duration
	note := func() { ran = append(ran, clock.Monotonic()-start) }
	clock.AfterFunc(3*time.Second, note)
	clock.AfterFunc(time.Second, func() { note(); clock.AfterFunc(time.Second, note) })
	stop := clock.AfterFunc(time.Second, note)
	stop()
	clock.Advance(2500 * time.Millisecond)
	assert.Equal(t, []time.Duration{time.Second, 2 * time.Second}, ran)
	clock.Advance(time.Second)
	assert.Equal(t, 3*time.Second, ran[2])
	assert.Equal(t, epoch.Add(-time.Hour+3500*time.Millisecond), clock.Now())
	assert.Panics(t, func() { clock.Advance(-1) })
}

func TestTheSystemClockMoves(t *testing.T) {
	clock := hostsim.SystemClock()
	before := clock.Monotonic()
	done := make(chan struct{})
	clock.AfterFunc(time.Millisecond, func() { close(done) })
	<-done
	assert.GreaterOrEqual(t, clock.Monotonic()-before, time.Millisecond)
	assert.WithinDuration(t, time.Now(), clock.Now(), time.Minute)
	clock.AfterFunc(time.Hour, func() {})()
}
