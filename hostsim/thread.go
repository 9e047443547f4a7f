package hostsim

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"gatehouse/hostsim/abi"
)

// thread is one of the proxy's threads. Its lock stands for the fact that a
// thread does one thing at a time: whatever enters a VM holds it.
type thread struct {
	host   *Host
	number int

	mu      sync.Mutex
	vms     map[vmKey]*vm
	handles map[string]*pluginHandle
	closed  bool
}

// vmKey decides which plugins share a VM.
type vmKey struct{ vmID, vmConfig string }

// pluginHandle is a plugin as a thread knows it.
type pluginHandle struct {
	plugin *Plugin
	// vm is nil if the plugin never came up here.
	vm       *vm
	root     *guestContext
	lastLoad time.Duration
}

func newThread(h *Host, number int) *thread {
	return &thread{host: h, number: number, vms: map[vmKey]*vm{}, handles: map[string]*pluginHandle{}}
}

// String names the thread in errors.
func (t *thread) String() string {
	switch t.number {
	case MainThread:
		return "the main thread"
	case Canary:
		return "the canary"
	}
	return fmt.Sprintf("worker %d", t.number)
}

// do runs f on the thread and then whatever f made due, here and elsewhere.
func (t *thread) do(f func()) {
	t.only(f)
	t.host.drain()
}

// only runs f on the thread.
func (t *thread) only(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f()
}

// handle returns the plugin of that name; "" means the first one.
func (t *thread) handle(plugin string) *pluginHandle {
	if plugin == "" {
		plugin = t.host.opts.Plugins[0].Name
	}
	h := t.handles[plugin]
	if h == nil {
		panic("hostsim: no plugin named " + plugin)
	}
	return h
}

// start brings a plugin up for the first time.
func (t *thread) start(p *Plugin) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	handle := &pluginHandle{plugin: p, lastLoad: t.host.clock.Monotonic()}
	t.handles[p.Name] = handle
	return t.load(handle)
}

// load starts handle's plugin in the thread's VM for it, which is made if there
// is none or the last one failed.
func (t *thread) load(handle *pluginHandle) error {
	p := handle.plugin
	key := vmKey{p.VMID, string(p.VMConfig)}
	v := t.vms[key]
	if v == nil {
		var err error
		if v, err = newVM(t, key, p.Env); err != nil {
			return err
		}
		t.vms[key] = v
	}
	root, err := v.startPlugin(p)
	if err != nil {
		return err
	}
	handle.vm, handle.root = v, root
	return nil
}

// current returns handle's VM and plugin context for a new stream, after a
// reload if the VM has failed and the policy and its back-off allow one.
func (t *thread) current(handle *pluginHandle) (*vm, *guestContext) {
	p := handle.plugin
	if handle.vm == nil || !handle.vm.failed || p.Failure != FailReload || t.closed {
		return handle.vm, handle.root
	}
	base := p.ReloadInterval
	if base == 0 {
		base = time.Second
	}
	now := t.host.clock.Monotonic()
	if now-handle.lastLoad < base+t.host.jitter(base/2) {
		return handle.vm, handle.root
	}
	handle.lastLoad = now
	if err := t.load(handle); err != nil {
		t.host.log(t.number, p.Name, abi.LogError, "reload failed: "+err.Error())
	}
	return handle.vm, handle.root
}

// jitter draws a duration below limit.
func (h *Host) jitter(limit time.Duration) time.Duration {
	var b [8]byte
	if _, err := h.random(b[:]); err != nil || limit <= 0 {
		return 0
	}
	return time.Duration(binary.LittleEndian.Uint64(b[:]) % uint64(limit))
}

// discard frees the thread's VMs without a word to the guest, as Envoy drops a
// canary.
func (t *thread) discard() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, v := range t.vms {
		v.close()
	}
}

// shutdown tells the plugins that it is over and frees the VMs.
func (t *thread) shutdown() {
	t.mu.Lock()
	if !t.closed {
		for _, v := range t.vms {
			v.shutdown()
		}
	}
	t.mu.Unlock()
	t.host.drain()
	t.discard()
}
