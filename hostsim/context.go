package hostsim

import (
	"time"

	"gatehouse/hostsim/abi"
)

// guestContext is a context as the guest knows it by its id: a plugin context
// (root is itself) or a stream's.
type guestContext struct {
	id     uint32
	vm     *vm
	root   *guestContext
	plugin *Plugin
	stream *Stream
	// created says that the guest has been told of the context.
	created bool
	deleted bool

	// The rest is for plugin contexts.

	configuring bool
	pendingDone bool
	tickPeriod  time.Duration
	stopTick    func()

	calls   map[uint32]*httpCallout
	grpc    map[uint32]*grpcCallout
	reply   *HTTPReply // during proxy_on_http_call_response
	message []byte     // during proxy_on_grpc_receive
	// initialMetadata and trailingMetadata are set during their callbacks.
	initialMetadata, trailingMetadata *Headers
	// statusCode and statusMessage are what proxy_get_status reads.
	statusCode    uint32
	statusMessage string
}

// newContext registers a context with the VM. root and stream are nil for a
// plugin context.
func (v *vm) newContext(p *Plugin, root *guestContext, stream *Stream) *guestContext {
	v.nextID++
	c := &guestContext{id: v.nextID, vm: v, root: root, plugin: p, stream: stream}
	if root == nil {
		c.root = c
		c.calls = map[uint32]*httpCallout{}
		c.grpc = map[uint32]*grpcCallout{}
		v.roots = append(v.roots, c)
	}
	v.contexts[c.id] = c
	return c
}

// create tells the guest of the context, once.
func (c *guestContext) create(parent uint32) {
	if c.created {
		return
	}
	c.created = true
	if g := c.vm.guest.contextCreate; g.exported() {
		c.vm.callback(c, g, uint64(c.id), uint64(parent))
	}
}

// onDone asks the guest whether the context may go.
func (c *guestContext) onDone() bool {
	g := c.vm.guest.done
	if !g.exported() {
		return true
	}
	r, ok := c.vm.callback(c, g, uint64(c.id))
	return !ok || r != 0
}

func (c *guestContext) onLog() {
	if g := c.vm.guest.log; g.exported() {
		c.vm.callback(c, g, uint64(c.id))
	}
}

// onDelete tells the guest that the context is gone, and forgets it.
func (c *guestContext) onDelete() {
	if c.deleted {
		return
	}
	c.deleted = true
	if g := c.vm.guest.delete; g.exported() && c.created {
		c.vm.callback(c, g, uint64(c.id))
	}
	delete(c.vm.contexts, c.id)
}

// setTick starts, changes or stops the ticks of a plugin context.
func (c *guestContext) setTick(period time.Duration) {
	c.stopTimer()
	c.tickPeriod = period
	c.armTick()
}

func (c *guestContext) armTick() {
	if c.tickPeriod == 0 || c.vm.thread.number == Canary {
		return
	}
	// The timer may fire while it is being stopped: a tick counts only if it
	// belongs to the timer that is armed.
	var armed bool
	stop := c.vm.host.clock.AfterFunc(c.tickPeriod, func() {
		c.vm.thread.do(func() {
			if armed && !c.vm.failed {
				armed = false
				c.onTick()
			}
		})
	})
	armed = true
	c.stopTick = func() { armed = false; stop() }
}

// onTick ticks and arms the next tick, unless the guest has set a period of its
// own meanwhile.
func (c *guestContext) onTick() {
	c.stopTick = nil
	if g := c.vm.guest.tick; g.exported() {
		c.vm.callback(c, g, uint64(c.id))
	}
	if c.stopTick == nil && !c.vm.failed && !c.deleted {
		c.armTick()
	}
}

func (c *guestContext) stopTimer() {
	if c.stopTick != nil {
		c.stopTick()
		c.stopTick = nil
	}
}

// pluginName is the name to log under.
func (c *guestContext) pluginName() string {
	if c == nil || c.plugin == nil {
		return ""
	}
	return c.plugin.Name
}

// log writes a line of the guest's.
func (c *guestContext) log(level abi.LogLevel, msg string) {
	c.vm.host.log(c.vm.thread.number, c.pluginName(), level, msg)
}
