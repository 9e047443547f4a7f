// Package thread holds a proxy's threads, and the VMs that each thread has.
package thread

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"

	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/internal/vm"
)

// The numbers of the threads that are not workers.
const (
	Main   = -1
	Canary = -2
)

// Thread is one of the proxy's threads. A thread does one thing at a time: what enters a VM holds
// its lock.
type Thread struct {
	services *vm.Services
	queue    *Queue
	number   int

	mu      sync.Mutex
	vms     map[vm.Key]*vm.VM
	plugins map[string]*Plugin
	closed  bool
}

// Config is a plugin and how it is loaded again once its VM has failed.
type Config struct {
	vm.Plugin
	// Reload says that a new VM is tried; ReloadInterval is the base of the back-off.
	Reload         bool
	ReloadInterval time.Duration
}

// Plugin is a plugin as a thread has it. The thread's lock guards it.
type Plugin struct {
	// VM and Root are nil if the plugin never came up here.
	VM       *vm.VM
	Root     *vm.Context
	config   *Config
	lastLoad time.Duration
}

// Failed reports whether the plugin has no VM that works.
func (p *Plugin) Failed() bool { return p.VM == nil || p.VM.Failed() }

// New returns a thread without VMs.
func New(s *vm.Services, q *Queue, number int) *Thread {
	return &Thread{services: s, queue: q, number: number, vms: map[vm.Key]*vm.VM{}, plugins: map[string]*Plugin{}}
}

// Number is the worker's number, or Main or Canary.
func (t *Thread) Number() int { return t.number }

// Ticks implements vm.Thread.
func (t *Thread) Ticks() bool { return t.number != Canary }

// String names the thread in errors.
func (t *Thread) String() string {
	switch t.number {
	case Main:
		return "the main thread"
	case Canary:
		return "the canary"
	}
	return fmt.Sprintf("worker %d", t.number)
}

// Do runs f on the thread and then whatever f made due, here and elsewhere.
func (t *Thread) Do(f func()) {
	t.Only(f)
	t.queue.Drain()
}

// Only runs f on the thread.
func (t *Thread) Only(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f()
}

// Post queues f to run on the thread.
func (t *Thread) Post(f func()) { t.queue.Post(func() { t.Only(f) }) }

// Plugin returns the plugin of that name. It panics if there is none.
func (t *Thread) Plugin(name string) *Plugin {
	p := t.plugins[name]
	if p == nil {
		panic("hostsim: no plugin named " + name)
	}
	return p
}

// Start brings a plugin up for the first time.
func (t *Thread) Start(c *Config) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := &Plugin{config: c, lastLoad: t.services.Clock.Monotonic()}
	t.plugins[c.Name] = p
	return t.load(p)
}

// load starts a plugin in the thread's VM for it, which is made if there is none or the last one
// failed.
func (t *Thread) load(p *Plugin) error {
	key := p.config.Key()
	v := t.vms[key]
	if v == nil || v.Failed() {
		var err error
		if v, err = vm.New(t.services, t, key, p.config.Env); err != nil {
			return err
		}
		t.vms[key] = v
	}
	root, err := v.StartPlugin(&p.config.Plugin)
	if err != nil {
		return err
	}
	p.VM, p.Root = v, root
	return nil
}

// Reload loads a plugin again if its VM has failed and its policy and back-off allow that. The
// thread is locked.
func (t *Thread) Reload(p *Plugin) {
	if p.VM == nil || !p.VM.Failed() || !p.config.Reload || t.closed {
		return
	}
	base := p.config.ReloadInterval
	if base == 0 {
		base = time.Second
	}
	now := t.services.Clock.Monotonic()
	if now-p.lastLoad < base+t.jitter(base/2) {
		return
	}
	p.lastLoad = now
	if err := t.load(p); err != nil {
		t.services.Log(t.number, p.config.Name, abi.LogError, "reload failed: "+err.Error())
	}
}

// jitter draws a duration below limit.
func (t *Thread) jitter(limit time.Duration) time.Duration {
	var b [8]byte
	if _, err := io.ReadFull(t.services.Random, b[:]); err != nil || limit <= 0 {
		return 0
	}
	return time.Duration(binary.LittleEndian.Uint64(b[:]) % uint64(limit))
}

// Discard frees the thread's VMs without telling the guests, as Envoy drops a canary.
func (t *Thread) Discard() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, v := range t.vms {
		v.Close()
	}
}

// Shutdown tells the plugins that it is over and frees the VMs.
func (t *Thread) Shutdown() {
	t.Do(func() {
		if t.closed {
			return
		}
		for _, v := range t.vms {
			v.Shutdown()
		}
	})
	t.Discard()
}
