package vm

import (
	"context"
	"errors"
	"time"

	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/internal/callout"
	"gatehouse/hostsim/internal/metrics"
	"gatehouse/hostsim/internal/wasm"
)

// ErrInjected is the error of a trap that a test injects.
var ErrInjected = errors.New("injected fault")

// errStackOverflow has the words of wazero's error for a guest that recurses by itself.
var errStackOverflow = errors.New("stack overflow")

// maxNesting is how deep callbacks may lead to further callbacks. Envoy's stack holds some
// thousands; a filter that behaves needs three or four.
const maxNesting = 1000

// VM is one instance of the module with its contexts. Its thread's lock guards everything in it.
type VM struct {
	*wasm.Instance
	Services *Services
	Thread   Thread
	Key      Key
	// Metrics are the ids of the metrics that the guest has defined.
	Metrics metrics.IDs

	// failed is set once the guest has trapped. It is never called again.
	failed   bool
	contexts map[uint32]*Context
	roots    []*Context
	nextID   uint32
	tokens   callout.Tokens
	// current is the context of the callback that runs, nil between callbacks. effective is what
	// proxy_set_effective_context put in its place.
	current, effective *Context
	// after holds what host functions put off until the callback has returned.
	after []func()
	// finishing counts the callbacks that are under way in after.
	finishing int
	// stopIteration is set by a local response: the callback then pauses, whatever it returns.
	stopIteration bool
	// restricted is true during start functions and allocations.
	restricted bool
}

// contextKey is the key under which a guest's context carries its VM.
type contextKey struct{}

// Of returns the VM whose guest calls a host function.
func Of(ctx context.Context) *VM { return ctx.Value(contextKey{}).(*VM) }

// New makes a VM and runs its start functions.
func New(s *Services, t Thread, key Key, env map[string]string) (*VM, error) {
	v := &VM{Services: s, Thread: t, Key: key, contexts: map[uint32]*Context{}}
	var err error
	v.Instance, err = wasm.NewInstance(context.WithValue(s.Context, contextKey{}, v), s.Module, env, s.Random, v)
	if err != nil {
		return nil, err
	}
	if err := v.initialize(); err != nil {
		v.Close()
		return nil, err
	}
	return v, nil
}

// initialize runs the module's start functions: _initialize and main of a WASI reactor, or _start
// of a command.
func (v *VM) initialize() error {
	// Host functions that the start functions call find this context, which is no plugin's.
	outside := &Context{vm: v}
	outside.root = outside
	run := func(name string) {
		f := v.Export(name)
		if !f.Exported() || v.failed {
			return
		}
		v.restricted = true
		v.enter(outside, name, func() (err error) { return v.Start(f) })
		v.restricted = false
	}
	if !v.Export("_initialize").Exported() {
		run("_start")
	} else {
		run("_initialize")
		run("main")
	}
	if v.failed {
		return errors.New("failed to initialize Wasm code")
	}
	return nil
}

// StartPlugin creates a plugin context and lets the plugin start and configure itself.
func (v *VM) StartPlugin(p *Plugin) (*Context, error) {
	c := v.newContext(p, nil)
	c.configuring = true
	c.create(0)
	c.configuring = false
	started := true
	if v.has(wasm.VMStart) {
		r, ok := v.callback(c, wasm.VMStart, uint64(c.id), uint64(len(p.VMConfig)))
		started = ok && r != 0
	}
	if !started || v.failed {
		return nil, errors.New("proxy_on_vm_start failed")
	}
	configured := true
	if v.has(wasm.Configure) {
		c.configuring = true
		r, ok := v.callback(c, wasm.Configure, uint64(c.id), uint64(len(p.Config)))
		c.configuring = false
		configured = ok && r != 0
	}
	if !configured || v.failed {
		return nil, errors.New("proxy_on_configure failed")
	}
	return c, nil
}

// has reports whether the guest has that callback.
func (v *VM) has(g wasm.Callback) bool { return v.Callback(g).Exported() }

// enter runs guest code in context c. It reports false if the VM fails.
func (v *VM) enter(c *Context, name string, run func() error) bool {
	outerCurrent, outerEffective := v.current, v.effective
	v.current, v.effective = c, nil
	err := run()
	v.current, v.effective = outerCurrent, outerEffective
	if err != nil {
		v.Fail(name, err)
		v.Instance.Close()
		return false
	}
	return true
}

// call runs a callback in context c. It reports false if the VM has failed, before or during the
// call.
func (v *VM) call(c *Context, g wasm.Callback, args ...uint64) (result uint64, ok bool) {
	if v.failed {
		return 0, false
	}
	f := v.Callback(g)
	ok = v.enter(c, f.Name, func() (err error) {
		result, err = v.Call(f, args...)
		return err
	})
	return result, ok
}

// callback runs a callback in context c and then what it put off.
func (v *VM) callback(c *Context, g wasm.Callback, args ...uint64) (result uint64, ok bool) {
	result, ok = v.call(c, g, args...)
	v.finish()
	return result, ok
}

// finish ends a callback: what host functions put off happens now. It may lead to callbacks that
// put more off; a guest that never comes to an end fails.
func (v *VM) finish() {
	v.stopIteration = false
	v.finishing++
	defer func() { v.finishing-- }()
	if v.finishing > maxNesting {
		v.Fail("after a callback", errStackOverflow)
		v.Instance.Close()
		v.after = nil
	}
	for len(v.after) > 0 {
		f := v.after[0]
		v.after = v.after[1:]
		f()
	}
}

// AfterCall puts f off until the callback has returned.
func (v *VM) AfterCall(f func()) { v.after = append(v.after, f) }

// StopIteration makes the callback that is running pause its stream.
func (v *VM) StopIteration() { v.stopIteration = true }

// Restricted reports whether the guest may do no more than log.
func (v *VM) Restricted() bool { return v.restricted }

// Failed reports whether the guest has trapped.
func (v *VM) Failed() bool { return v.failed }

// Fail marks the VM as failed. Its streams end as the failure policy says when they are touched
// next.
func (v *VM) Fail(where string, err error) {
	if v.failed {
		return
	}
	v.failed = true
	v.Services.Log(v.Thread.Number(), v.PluginName(), abi.LogError, "Function: "+where+" failed: "+err.Error())
	v.stopRoots()
}

// Trap makes the VM fail while none of its code runs, as a bug in the guest would.
func (v *VM) Trap() {
	v.Fail("trap injected", ErrInjected)
	v.Instance.Close()
}

func (v *VM) stopRoots() {
	for _, c := range v.roots {
		c.stopTimer()
		c.Callouts.Cancel()
	}
}

// Shutdown tells each plugin that it is done. A plugin that needs more time keeps its context until
// it calls proxy_done, or until the VM is closed.
func (v *VM) Shutdown() {
	if v.failed {
		return
	}
	for _, c := range v.roots {
		c.stopTimer()
		if c.done() {
			c.Delete()
		} else {
			c.pendingDone = true
		}
	}
}

// Close frees the VM. None of the guest's code may be running.
func (v *VM) Close() {
	v.stopRoots()
	v.failed = true
	v.Instance.Close()
}

// Where returns the context that host functions act on: the effective context, as long as it
// exists, or the context whose callback runs.
func (v *VM) Where() *Context {
	if v.effective != nil && v.contexts[v.effective.id] == v.effective {
		return v.effective
	}
	return v.current
}

// SetEffective makes Where return the context of that id until the callback returns. It reports
// whether there is such a context.
func (v *VM) SetEffective(id uint32) bool {
	c := v.contexts[id]
	if c != nil {
		v.effective = c
	}
	return c != nil
}

// PluginName is the plugin whose callback runs, "" if there is none.
func (v *VM) PluginName() string { return v.current.PluginName() }

// Now implements wasm.System.
func (v *VM) Now() time.Time { return v.Services.Clock.Now() }

// Monotonic implements wasm.System.
func (v *VM) Monotonic() time.Duration { return v.Services.Clock.Monotonic() }

// Log implements wasm.System.
func (v *VM) Log(level abi.LogLevel, line string) { v.current.LogLine(level, line) }

// Allocate asks the guest for size bytes. It reports false if the guest has none; a VM that fails
// in its allocator ends the callback too.
func (v *VM) Allocate(size uint32) (uint32, bool) {
	v.restricted = true
	address, err := v.CallAllocator(size)
	v.restricted = false
	if err != nil {
		v.Fail(v.Callback(wasm.Allocate).Name, err)
		panic(err)
	}
	return address, address != 0
}

// Return copies b into memory that the guest allocates, and stores its address and size. Nothing is
// allocated for an empty b.
func (v *VM) Return(b []byte, addressAt, sizeAt uint64) abi.Status {
	var address uint32
	if len(b) > 0 {
		var ok bool
		if address, ok = v.Allocate(uint32(len(b))); !ok || !v.Write(address, b) {
			return abi.InvalidMemoryAccess
		}
	}
	if v.Put32(addressAt, address) != abi.OK || v.Put32(sizeAt, uint32(len(b))) != abi.OK {
		return abi.InvalidMemoryAccess
	}
	return abi.OK
}
