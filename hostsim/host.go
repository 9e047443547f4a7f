package hostsim

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/internal/callout"
	"gatehouse/hostsim/internal/foreign"
	"gatehouse/hostsim/internal/shared"
	"gatehouse/hostsim/internal/thread"
	"gatehouse/hostsim/internal/vm"
)

// ErrConfig is wrapped by New's error when a filter refused to start: it returned false from
// proxy_on_vm_start or proxy_on_configure, or its VM failed while it ran them. Envoy refuses such a
// configuration.
var ErrConfig = errors.New("hostsim: configuration refused")

// Host is one proxy process with its threads, their VMs, and what they share. It is safe for
// concurrent use: calls into one thread are serialised, different threads run in parallel.
type Host struct {
	opts     Options
	services *vm.Services
	queue    thread.Queue
	main     *thread.Thread
	workers  []*thread.Thread
	connID   atomic.Uint64
}

// New starts a host as Envoy starts a Wasm filter: for each plugin in turn a canary VM tries the
// configuration out and is thrown away, then the main thread's VM and each worker's start it. The
// context's values are visible to functions of clusters; its cancellation does not stop the host,
// Close does.
//
// The error wraps ErrConfig if a filter refused its configuration, and ErrModule if the module
// needs something that Options take away.
func New(ctx context.Context, m *Module, opts Options) (*Host, error) {
	if err := checkPlugins(opts.Plugins); err != nil {
		return nil, err
	}
	if err := m.compiled.CheckImports(opts.Faults.MissingHostFunctions); err != nil {
		return nil, err
	}
	if opts.Clock == nil {
		opts.Clock = SystemClock()
	}
	if opts.SharedData == nil {
		opts.SharedData = NewSharedData()
	}
	if opts.Metrics == nil {
		opts.Metrics = NewMetrics(nil)
	}
	if opts.Random == nil {
		opts.Random = rand.Reader
	}
	if opts.BufferLimit == 0 {
		opts.BufferLimit = 1 << 20
	}
	h := &Host{opts: opts}
	h.services = h.newServices(context.WithoutCancel(ctx), m)
	h.main = thread.New(h.services, &h.queue, MainThread)
	for i := range max(opts.Workers, 1) {
		h.workers = append(h.workers, thread.New(h.services, &h.queue, i))
	}
	if err := h.start(); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

func checkPlugins(plugins []Plugin) error {
	if len(plugins) == 0 {
		return errors.New("hostsim: no plugins")
	}
	for i, p := range plugins {
		for _, q := range plugins[:i] {
			if p.Name == q.Name {
				return fmt.Errorf("hostsim: two plugins named %q", p.Name)
			}
		}
	}
	return nil
}

// newServices makes what the host's VMs use.
func (h *Host) newServices(ctx context.Context, m *Module) *vm.Services {
	clusters := map[string]callout.Cluster{}
	for name, c := range h.opts.Clusters {
		clusters[name] = callout.Cluster(c)
	}
	functions := map[string]func([]byte) ([]byte, abi.Status){
		"verify_signature": foreign.VerifySignature, "clear_route_cache": foreign.ClearRouteCache,
	}
	for name, f := range h.opts.Foreign {
		functions[name] = f
	}
	s := &vm.Services{
		Context: ctx, Module: m.compiled, Clock: h.opts.Clock, Random: &serialReader{r: h.opts.Random},
		Data: h.opts.SharedData, Queues: shared.NewQueues(), Metrics: h.opts.Metrics,
		Callouts: &callout.Dispatcher{
			Context: ctx, Clock: h.opts.Clock, Clusters: clusters,
			Mode: callout.Mode(h.opts.Callouts), Post: h.queue.Post,
		},
		Foreign: functions, LogLevel: h.opts.LogLevel, Log: h.log,
	}
	if ask := h.opts.Faults.HostCall; ask != nil {
		s.Fault = func(name, subject string, worker int, plugin string) (abi.Status, bool) {
			f := ask(HostCall{Name: name, Subject: subject, Worker: worker, Plugin: plugin})
			return f.Status, f.Trap
		}
	}
	return s
}

func (h *Host) start() error {
	for i := range h.opts.Plugins {
		p := &h.opts.Plugins[i]
		c := &thread.Config{
			Plugin: vm.Plugin{Name: p.Name, RootID: p.RootID, VMID: p.VMID, Config: p.Config, VMConfig: p.VMConfig, Env: p.Env},
			Reload: p.Failure == FailReload, ReloadInterval: p.ReloadInterval,
		}
		canary := thread.New(h.services, &h.queue, Canary)
		err := canary.Start(c)
		canary.Discard()
		if err != nil {
			return fmt.Errorf("%w: plugin %q: %w", ErrConfig, p.Name, err)
		}
		for _, t := range h.threads() {
			if err := t.Start(c); err != nil {
				return fmt.Errorf("%w: plugin %q on %s: %w", ErrConfig, p.Name, t, err)
			}
		}
	}
	h.queue.Drain()
	return nil
}

func (h *Host) threads() []*thread.Thread { return append([]*thread.Thread{h.main}, h.workers...) }

// Close shuts the plugins down (proxy_on_done, proxy_on_delete), stops ticks and callouts and frees
// the VMs. Streams that are still open see no further callbacks. Close waits for concurrent
// callouts to return; it may be called more than once.
func (h *Host) Close() {
	for _, t := range h.threads() {
		t.Shutdown()
	}
	h.services.Callouts.Wait()
}

// Workers returns the number of worker threads.
func (h *Host) Workers() int { return len(h.workers) }

// Clock returns the host's clock.
func (h *Host) Clock() Clock { return h.opts.Clock }

// SharedData returns the store that the VMs share.
func (h *Host) SharedData() *SharedData { return h.opts.SharedData }

// Metrics returns the metrics that the VMs share.
func (h *Host) Metrics() *Metrics { return h.opts.Metrics }

// HeldCallouts returns the callouts that wait for an answer, oldest first, with CalloutsHeld.
// Callouts that have timed out or whose VM failed are no longer among them.
func (h *Host) HeldCallouts() []*HeldCallout { return h.services.Callouts.Held() }

// Settle runs what is due but not yet done: queue notifications and, inline, callouts. Every call
// into the Host does that before it returns; Settle is for what other goroutines left behind.
func (h *Host) Settle() { h.queue.Drain() }

// Trap makes the VM of a plugin on a thread (a worker's number or MainThread) fail, as a bug in the
// guest would. It does nothing to a VM that has failed.
func (h *Host) Trap(worker int, plugin string) {
	t := h.thread(worker)
	t.Do(func() {
		if v := t.Plugin(h.pluginName(plugin)).VM; v != nil {
			v.Trap()
		}
	})
}

// Failed reports whether the VM of a plugin on a thread has failed.
func (h *Host) Failed(worker int, plugin string) (failed bool) {
	t := h.thread(worker)
	t.Only(func() { failed = t.Plugin(h.pluginName(plugin)).Failed() })
	return failed
}

// MemoryBytes returns the size of the linear memory of a plugin's VM on a thread, 0 once it has
// failed.
func (h *Host) MemoryBytes(worker int, plugin string) (size uint32) {
	t := h.thread(worker)
	t.Only(func() {
		if p := t.Plugin(h.pluginName(plugin)); !p.Failed() {
			size = p.VM.MemoryBytes()
		}
	})
	return size
}

func (h *Host) thread(worker int) *thread.Thread {
	if worker == MainThread {
		return h.main
	}
	return h.workers[worker]
}

// pluginName replaces "" by the first plugin's name.
func (h *Host) pluginName(name string) string {
	if name == "" {
		return h.opts.Plugins[0].Name
	}
	return name
}

func (h *Host) log(worker int, plugin string, level abi.LogLevel, message string) {
	if h.opts.Log != nil && level >= h.opts.LogLevel {
		h.opts.Log(LogEntry{Level: level, Worker: worker, Plugin: plugin, Message: message})
	}
}

// serialReader serialises reads, each of which fills its buffer.
type serialReader struct {
	mu sync.Mutex
	r  io.Reader
}

// Read implements io.Reader.
func (s *serialReader) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return io.ReadFull(s.r, p)
}
