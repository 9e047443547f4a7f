package vm

import (
	"time"

	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/internal/callout"
	"gatehouse/hostsim/internal/stream"
	"gatehouse/hostsim/internal/wasm"
)

// Context is a context as the guest knows it by its id: a plugin context, which is its own root, or
// a stream's.
type Context struct {
	// Stream is nil for plugin contexts.
	Stream *stream.Stream
	// Plugin is nil for the start functions.
	Plugin *Plugin
	// Callouts belong to plugin contexts.
	Callouts *callout.Set

	id   uint32
	vm   *VM
	root *Context
	// created says that the guest has been told of the context.
	created, deleted bool

	// The rest is for plugin contexts.

	configuring bool
	pendingDone bool
	tickPeriod  time.Duration
	stopTick    func()
}

// newContext registers a context with the VM; root is nil for a plugin context.
func (v *VM) newContext(p *Plugin, root *Context) *Context {
	v.nextID++
	c := &Context{id: v.nextID, vm: v, root: root, Plugin: p}
	if root == nil {
		c.root = c
		c.Callouts = callout.NewSet(guest{c}, v.Services.Callouts, &v.tokens)
		v.roots = append(v.roots, c)
	}
	v.contexts[c.id] = c
	return c
}

// NewStreamContext registers the context of a stream with the VM of its plugin context.
func (c *Context) NewStreamContext() *Context { return c.vm.newContext(c.Plugin, c) }

// Root returns the plugin context.
func (c *Context) Root() *Context { return c.root }

// Configuring reports whether the plugin may read its configuration.
func (c *Context) Configuring() bool { return c.configuring }

// PluginName is the name to log under.
func (c *Context) PluginName() string {
	if c == nil || c.Plugin == nil {
		return ""
	}
	return c.Plugin.Name
}

// LogLine writes a line of the guest's to the log.
func (c *Context) LogLine(level abi.LogLevel, message string) {
	c.vm.Services.Log(c.vm.Thread.Number(), c.PluginName(), level, message)
}

// create tells the guest of the context, once.
func (c *Context) create(parent uint32) {
	if c.created {
		return
	}
	c.created = true
	if c.vm.has(wasm.ContextCreate) {
		c.vm.callback(c, wasm.ContextCreate, uint64(c.id), uint64(parent))
	}
}

// done asks the guest whether the context may go.
func (c *Context) done() bool {
	if !c.vm.has(wasm.Done) {
		return true
	}
	r, ok := c.vm.callback(c, wasm.Done, uint64(c.id))
	return !ok || r != 0
}

// FinishDone completes a shutdown that proxy_on_done put off. It reports false if there is none.
func (c *Context) FinishDone() bool {
	if !c.pendingDone {
		return false
	}
	c.pendingDone = false
	c.vm.AfterCall(c.Delete)
	return true
}

// Delete tells the guest that the context is gone, and forgets it.
func (c *Context) Delete() {
	if c.deleted {
		return
	}
	c.deleted = true
	if c.created && c.vm.has(wasm.Delete) {
		c.vm.callback(c, wasm.Delete, uint64(c.id))
	}
	delete(c.vm.contexts, c.id)
}

// QueueReady tells the plugin context of a queue's new item. It may be called on any thread.
func (c *Context) QueueReady(token uint32) {
	c.vm.Thread.Post(func() {
		if c.vm.has(wasm.QueueReady) && !c.deleted {
			c.vm.callback(c, wasm.QueueReady, uint64(c.id), uint64(token))
		}
	})
}

// SetTick starts, changes or stops the ticks of a plugin context.
func (c *Context) SetTick(period time.Duration) {
	c.stopTimer()
	c.tickPeriod = period
	c.armTick()
}

func (c *Context) armTick() {
	if c.tickPeriod == 0 || !c.vm.Thread.Ticks() {
		return
	}
	// The timer may fire while it is being stopped: a tick counts only if it belongs to the timer
	// that is armed.
	var armed bool
	stop := c.vm.Services.Clock.AfterFunc(c.tickPeriod, func() {
		c.vm.Thread.Do(func() {
			if armed && !c.vm.failed {
				armed = false
				c.tick()
			}
		})
	})
	armed = true
	c.stopTick = func() { armed = false; stop() }
}

// tick ticks and arms the next tick, unless the guest has set a period of its own meanwhile.
func (c *Context) tick() {
	c.stopTick = nil
	if c.vm.has(wasm.Tick) {
		c.vm.callback(c, wasm.Tick, uint64(c.id))
	}
	if c.stopTick == nil && !c.vm.failed && !c.deleted {
		c.armTick()
	}
}

func (c *Context) stopTimer() {
	if c.stopTick != nil {
		c.stopTick()
		c.stopTick = nil
	}
}
