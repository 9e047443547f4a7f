package hostsim

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"github.com/tetratelabs/wazero"
	wapi "github.com/tetratelabs/wazero/api"

	"gatehouse/hostsim/abi"
)

var errInjectedTrap = errors.New("injected fault")

// errStackOverflow has the words of wazero's for a guest that recurses by itself.
var errStackOverflow = errors.New("stack overflow")

// maxNesting is how deep callbacks may lead to further callbacks. Envoy's stack
// holds some thousands; a filter that behaves needs three or four.
const maxNesting = 1000

// vm is one instance of the module. Everything in it is guarded by its thread's
// lock.
type vm struct {
	host   *Host
	thread *thread
	key    vmKey

	ctx      context.Context
	instance wapi.Module
	memory   wapi.Memory
	guest    guestFunctions
	// failed is set once the guest has trapped; it is never called again.
	failed bool

	contexts map[uint32]*guestContext
	roots    []*guestContext
	nextID   uint32
	// current is the context of the callback that runs, nil between callbacks;
	// effective is what proxy_set_effective_context put in its place.
	current, effective *guestContext
	// after holds what host functions put off until the callback has returned.
	after []func()
	// finishing counts the callbacks that are under way in after.
	finishing int
	// stopIteration is set by a local response: the callback's action is then
	// a pause, whatever it returns.
	stopIteration bool
	// restricted is true during start functions and allocations.
	restricted bool

	metrics vmMetrics
	callIDs [3]uint32
	stack   [8]uint64
}

// vmContextKey is the key under which a VM's context carries the VM.
type vmContextKey struct{}

func vmOf(ctx context.Context) *vm { return ctx.Value(vmContextKey{}).(*vm) }

func newVM(t *thread, key vmKey, env map[string]string) (*vm, error) {
	h := t.host
	v := &vm{host: h, thread: t, key: key, contexts: map[uint32]*guestContext{}}
	v.ctx = context.WithValue(h.ctx, vmContextKey{}, v)
	cfg := wazero.NewModuleConfig().
		WithName("").
		WithStartFunctions().
		WithRandSource(guestRandom{h})
	names := make([]string, 0, len(env))
	for name := range env {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		cfg = cfg.WithEnv(name, env[name])
	}
	instance, err := h.module.runtime.InstantiateModule(v.ctx, h.module.compiled, cfg)
	if err != nil {
		return nil, fmt.Errorf("%w: instantiate: %w", ErrModule, err)
	}
	v.instance, v.memory = instance, instance.Memory()
	v.bind()
	if err := v.initialize(); err != nil {
		v.close()
		return nil, err
	}
	return v, nil
}

// initialize runs the module's start functions: _initialize and main of a WASI
// reactor, or _start of a command.
func (v *vm) initialize() error {
	// Host functions that the start functions call find this context, which is
	// no plugin's.
	outside := &guestContext{vm: v}
	outside.root = outside
	run := func(name string) {
		g := v.export(name)
		if !g.exported() || v.failed {
			return
		}
		v.restricted = true
		v.call(outside, g, make([]uint64, len(g.f.Definition().ParamTypes()))...)
		v.restricted = false
	}
	if !v.export("_initialize").exported() {
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

// startPlugin creates a plugin context and lets it start and configure itself.
func (v *vm) startPlugin(p *Plugin) (*guestContext, error) {
	c := v.newContext(p, nil, nil)
	c.configuring = true
	c.create(0)
	c.configuring = false
	started := true
	if v.guest.vmStart.exported() {
		r, ok := v.callback(c, v.guest.vmStart, uint64(c.id), uint64(len(p.VMConfig)))
		started = ok && r != 0
	}
	if !started || v.failed {
		return nil, errors.New("proxy_on_vm_start failed")
	}
	configured := true
	if v.guest.configure.exported() {
		c.configuring = true
		r, ok := v.callback(c, v.guest.configure, uint64(c.id), uint64(len(p.Config)))
		c.configuring = false
		configured = ok && r != 0
	}
	if !configured || v.failed {
		return nil, errors.New("proxy_on_configure failed")
	}
	return c, nil
}

// call runs g in context c. It reports false if the VM has failed, before or
// during the call.
func (v *vm) call(c *guestContext, g guestFunction, args ...uint64) (result uint64, ok bool) {
	if v.failed {
		return 0, false
	}
	outerCurrent, outerEffective := v.current, v.effective
	v.current, v.effective = c, nil
	// Callbacks don't nest, and allocate has a stack of its own, so one array
	// serves them all.
	stack := v.stack[:]
	copy(stack, args)
	err := g.f.CallWithStack(v.ctx, stack)
	v.current, v.effective = outerCurrent, outerEffective
	if err != nil {
		v.fail(g.name, err)
		v.free()
		return 0, false
	}
	return stack[0], true
}

// callback runs g in context c and then what it put off.
func (v *vm) callback(c *guestContext, g guestFunction, args ...uint64) (result uint64, ok bool) {
	result, ok = v.call(c, g, args...)
	v.finish()
	return result, ok
}

// finish ends a callback: what host functions put off happens now. It may lead
// to callbacks that put more off; a guest that never comes to an end fails.
func (v *vm) finish() {
	v.stopIteration = false
	v.finishing++
	defer func() { v.finishing-- }()
	if v.finishing > maxNesting {
		v.fail("after a callback", errStackOverflow)
		v.free()
		v.after = nil
	}
	for len(v.after) > 0 {
		f := v.after[0]
		v.after = v.after[1:]
		f()
	}
}

// afterCall puts f off until the callback has returned.
func (v *vm) afterCall(f func()) { v.after = append(v.after, f) }

// fail marks the VM as failed. Its streams end as the failure policy says when
// they are touched next.
func (v *vm) fail(where string, err error) {
	if v.failed {
		return
	}
	v.failed = true
	plugin := ""
	if v.current != nil && v.current.plugin != nil {
		plugin = v.current.plugin.Name
	}
	v.host.log(v.thread.number, plugin, abi.LogError, "Function: "+where+" failed: "+err.Error())
	if v.thread.vms[v.key] == v {
		delete(v.thread.vms, v.key)
	}
	for _, c := range v.roots {
		c.stopTimer()
		c.cancelCallouts()
	}
}

// shutdown tells each plugin that it is done. One that needs more time keeps
// its context until it calls proxy_done, or until the VM is closed.
func (v *vm) shutdown() {
	for _, c := range v.roots {
		c.stopTimer()
		if c.onDone() {
			c.onDelete()
		} else {
			c.pendingDone = true
		}
	}
}

func (v *vm) close() {
	for _, c := range v.roots {
		c.stopTimer()
		c.cancelCallouts()
	}
	v.failed = true
	v.free()
}

// free gives the VM's memory back. No guest code may be running.
func (v *vm) free() {
	// The instance has nothing to flush: an error here says nothing.
	_ = v.instance.Close(v.ctx)
}

// where returns the context that host functions act on: the effective one, as
// long as it exists, or the one whose callback runs.
func (v *vm) where() *guestContext {
	if v.effective != nil && v.contexts[v.effective.id] == v.effective {
		return v.effective
	}
	return v.current
}

// allocate asks the guest for size bytes. It reports false if the guest has
// none; a VM that fails in its allocator ends the callback too.
func (v *vm) allocate(size uint32) (uint32, bool) {
	stack := [1]uint64{uint64(size)}
	v.restricted = true
	err := v.guest.allocate.f.CallWithStack(v.ctx, stack[:])
	v.restricted = false
	if err != nil {
		v.fail(v.guest.allocate.name, err)
		panic(err)
	}
	ptr := uint32(stack[0])
	return ptr, ptr != 0
}

// write copies b into memory that the guest allocates, and stores where it is
// and how long. Nothing is allocated for an empty b.
func (v *vm) write(b []byte, ptrAt, sizeAt uint32) abi.Status {
	var ptr uint32
	if len(b) > 0 {
		var ok bool
		if ptr, ok = v.allocate(uint32(len(b))); !ok || !v.memory.Write(ptr, b) {
			return abi.InvalidMemoryAccess
		}
	}
	if !v.memory.WriteUint32Le(ptrAt, ptr) || !v.memory.WriteUint32Le(sizeAt, uint32(len(b))) {
		return abi.InvalidMemoryAccess
	}
	return abi.OK
}
