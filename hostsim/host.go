package hostsim

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"sync/atomic"

	"gatehouse/hostsim/abi"
)

// ErrConfig is wrapped by New's error when a filter refused to start: it
// returned false from proxy_on_vm_start or proxy_on_configure, or its VM failed
// while it ran them. Envoy refuses such a configuration.
var ErrConfig = errors.New("hostsim: configuration refused")

// Host is one proxy process with its threads, their VMs, and what they share.
// It is safe for concurrent use: calls into one thread are serialised, different
// threads run in parallel.
type Host struct {
	ctx      context.Context
	module   *Module
	opts     Options
	clock    Clock
	data     *SharedData
	queues   *sharedQueues
	metrics  *Metrics
	foreign  map[string]ForeignFunction
	main     *thread
	workers  []*thread
	randMu   sync.Mutex
	events   eventQueue
	held     heldCallouts
	streamID atomic.Uint64
	connID   atomic.Uint64
	running  sync.WaitGroup
}

// New starts a host as Envoy starts a Wasm filter: for each plugin in turn a
// canary VM tries the configuration out and is thrown away, then the main
// thread's VM and each worker's start it. The context's values are visible to
// functions of clusters; its cancellation does not stop the host, Close does.
//
// The error wraps ErrConfig if a filter refused its configuration, and
// ErrModule if the module needs something that Options take away.
func New(ctx context.Context, m *Module, opts Options) (*Host, error) {
	if len(opts.Plugins) == 0 {
		return nil, errors.New("hostsim: no plugins")
	}
	for i, p := range opts.Plugins {
		for _, q := range opts.Plugins[:i] {
			if p.Name == q.Name {
				return nil, fmt.Errorf("hostsim: two plugins named %q", p.Name)
			}
		}
	}
	if err := m.checkImports(opts.Faults.MissingHostFunctions); err != nil {
		return nil, err
	}
	h := &Host{
		ctx:     context.WithoutCancel(ctx),
		module:  m,
		opts:    opts,
		clock:   opts.Clock,
		data:    opts.SharedData,
		queues:  newSharedQueues(),
		metrics: opts.Metrics,
		foreign: map[string]ForeignFunction{"verify_signature": verifySignature, "clear_route_cache": clearRouteCache},
	}
	if h.clock == nil {
		h.clock = SystemClock()
	}
	if h.data == nil {
		h.data = NewSharedData()
	}
	if h.metrics == nil {
		h.metrics = NewMetrics(nil)
	}
	if h.opts.Random == nil {
		h.opts.Random = rand.Reader
	}
	if h.opts.BufferLimit == 0 {
		h.opts.BufferLimit = 1 << 20
	}
	maps.Copy(h.foreign, opts.Foreign)
	h.main = newThread(h, MainThread)
	for i := range max(opts.Workers, 1) {
		h.workers = append(h.workers, newThread(h, i))
	}
	if err := h.start(); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

func (h *Host) start() error {
	for i := range h.opts.Plugins {
		p := &h.opts.Plugins[i]
		canary := newThread(h, Canary)
		err := canary.start(p)
		canary.discard()
		if err != nil {
			return fmt.Errorf("%w: plugin %q: %w", ErrConfig, p.Name, err)
		}
		for _, t := range append([]*thread{h.main}, h.workers...) {
			if err := t.start(p); err != nil {
				return fmt.Errorf("%w: plugin %q on %s: %w", ErrConfig, p.Name, t, err)
			}
		}
	}
	h.drain()
	return nil
}

// Close shuts the plugins down (proxy_on_done, proxy_on_delete), stops ticks
// and callouts and frees the VMs. Streams that are still open see no further
// callbacks. Close waits for concurrent callouts to return; it may be called
// more than once.
func (h *Host) Close() {
	for _, t := range append([]*thread{h.main}, h.workers...) {
		t.shutdown()
	}
	h.running.Wait()
}

// Workers returns the number of worker threads.
func (h *Host) Workers() int { return len(h.workers) }

// Clock returns the host's clock.
func (h *Host) Clock() Clock { return h.clock }

// SharedData returns the store that the VMs share.
func (h *Host) SharedData() *SharedData { return h.data }

// Metrics returns the metrics that the VMs share.
func (h *Host) Metrics() *Metrics { return h.metrics }

// Settle runs what is due but not yet done: queue notifications and, inline,
// callouts. Every call into the Host does that before it returns; Settle is for
// what other goroutines left behind.
func (h *Host) Settle() { h.drain() }

// Trap makes the VM of a plugin on a thread (a worker's number or MainThread)
// fail, as a bug in the guest would. It does nothing to a VM that has failed.
func (h *Host) Trap(worker int, plugin string) {
	t := h.thread(worker)
	t.do(func() {
		if vm := t.handle(plugin).vm; vm != nil {
			vm.fail("trap injected", errInjectedTrap)
			vm.free()
		}
	})
}

// Failed reports whether the VM of a plugin on a thread has failed.
func (h *Host) Failed(worker int, plugin string) bool {
	t := h.thread(worker)
	t.mu.Lock()
	defer t.mu.Unlock()
	vm := t.handle(plugin).vm
	return vm == nil || vm.failed
}

// MemoryBytes returns the size of the linear memory of a plugin's VM on a
// thread, 0 once it has failed.
func (h *Host) MemoryBytes(worker int, plugin string) uint32 {
	t := h.thread(worker)
	t.mu.Lock()
	defer t.mu.Unlock()
	vm := t.handle(plugin).vm
	if vm == nil || vm.failed {
		return 0
	}
	return vm.memory.Size()
}

func (h *Host) thread(worker int) *thread {
	if worker == MainThread {
		return h.main
	}
	return h.workers[worker]
}

// guestRandom is where guests' random numbers come from.
type guestRandom struct{ host *Host }

// Read implements io.Reader.
func (r guestRandom) Read(p []byte) (int, error) { return r.host.random(p) }

// random fills p.
func (h *Host) random(p []byte) (int, error) {
	h.randMu.Lock()
	defer h.randMu.Unlock()
	return io.ReadFull(h.opts.Random, p)
}

func (h *Host) log(worker int, plugin string, level abi.LogLevel, msg string) {
	if h.opts.Log != nil && level >= h.opts.LogLevel {
		h.opts.Log(LogEntry{Level: level, Worker: worker, Plugin: plugin, Message: msg})
	}
}
