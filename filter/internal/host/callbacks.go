//go:build wasip1

package host

import (
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

// Plugin is one plugin instance in one VM. Two instances with the same vm_id live in one VM, so its state is its own.
type Plugin interface {
	// Start takes the plugin configuration; false refuses it, and the proxy keeps what it had.
	Start(config []byte) bool
	// Tick runs at the period that SetTick asked for, on the main thread's VM too.
	Tick()
	// Stop runs last, when the proxy has no more use for the instance: after an update of its configuration, or at exit.
	Stop()
	// NewStream makes the context of one HTTP stream.
	NewStream(id uint32) Stream
}

// Stream is one HTTP stream of a Plugin.
type Stream interface {
	// RequestHeaders decides; true lets the request go on, false holds it (a local reply has been sent, or Resume follows).
	RequestHeaders() bool
	// Goes reports whether the request may go on.
	Goes() bool
	// RequestTrailers sees the request's trailers, where it has any.
	RequestTrailers()
	// ResponseHeaders sees the upstream's response headers, or those of a local reply.
	ResponseHeaders()
	// Done runs last, before the access log.
	Done()
	// Panicked is told of a panic in one of the others, which it must survive: it answers in their place.
	Panicked()
}

// Register makes newPlugin the maker of plugin contexts.
func Register(newPlugin func(id uint32) Plugin) {
	proxywasm.SetVMContext(&vmContext{newPlugin: newPlugin})
}

type vmContext struct {
	types.DefaultVMContext
	newPlugin func(id uint32) Plugin
}

func (c *vmContext) NewPluginContext(id uint32) types.PluginContext {
	return &pluginContext{plugin: c.newPlugin(id)}
}

type pluginContext struct {
	types.DefaultPluginContext
	plugin Plugin
}

func (c *pluginContext) OnPluginStart(size int) (status types.OnPluginStartStatus) {
	defer func() {
		if r := recover(); r != nil {
			Log(Critical, "gatehouse: panic at start: "+panicText(r))
			status = types.OnPluginStartStatusFailed
		}
	}()
	var config []byte
	if size > 0 {
		var err error
		if config, err = proxywasm.GetPluginConfiguration(); err != nil {
			Log(Critical, "gatehouse: the plugin configuration can't be read: "+err.Error())
			return types.OnPluginStartStatusFailed
		}
	}
	if !c.plugin.Start(config) {
		return types.OnPluginStartStatusFailed
	}
	return types.OnPluginStartStatusOK
}

func (c *pluginContext) OnTick() {
	defer survive("tick")
	c.plugin.Tick()
}

func (c *pluginContext) OnPluginDone() (done bool) {
	done = true // whatever happens: the proxy would keep an instance that isn't
	defer survive("plugin done")
	c.plugin.Stop()
	return done
}

func (c *pluginContext) NewHttpContext(id uint32) types.HttpContext {
	return &streamContext{stream: c.plugin.NewStream(id)}
}

type streamContext struct {
	types.DefaultHttpContext
	stream Stream
}

func (c *streamContext) OnHttpRequestHeaders(int, bool) (action types.Action) {
	defer func() {
		if r := recover(); r != nil {
			LogPanic("request headers", r)
			action = types.ActionPause
			c.panicked()
		}
	}()
	if c.stream.RequestHeaders() {
		return types.ActionContinue
	}
	return types.ActionPause
}

// OnHttpRequestBody and OnHttpRequestTrailers hold what belongs to a request that is held. It comes then only if the plugin has
// allow_on_headers_stop_iteration (Envoy 1.35), and to let it go on would take the request along. They hold after a panic too.

func (c *streamContext) OnHttpRequestBody(int, bool) (action types.Action) {
	action = types.ActionPause
	defer c.survive("request body")
	return c.rest()
}

func (c *streamContext) OnHttpRequestTrailers(int) (action types.Action) {
	action = types.ActionPause
	defer c.survive("request trailers")
	c.stream.RequestTrailers()
	return c.rest()
}

func (c *streamContext) rest() types.Action {
	if c.stream.Goes() {
		return types.ActionContinue
	}
	return types.ActionPause
}

func (c *streamContext) OnHttpResponseHeaders(int, bool) (action types.Action) {
	defer c.survive("response headers")
	c.stream.ResponseHeaders()
	return types.ActionContinue
}

func (c *streamContext) OnHttpStreamDone() {
	defer c.survive("stream done")
	c.stream.Done()
}

func (c *streamContext) survive(where string) {
	if r := recover(); r != nil {
		LogPanic(where, r)
		c.panicked()
	}
}

// panicked lets the stream answer; what panics even then is only logged.
func (c *streamContext) panicked() {
	defer survive("answering a panic")
	c.stream.Panicked()
}

func survive(where string) {
	if r := recover(); r != nil {
		LogPanic(where, r)
	}
}

// LogPanic writes to the proxy's log what was recovered, and where.
func LogPanic(where string, recovered any) {
	Log(Error, "gatehouse: panic in "+where+": "+panicText(recovered))
}

// panicText says what a recovered panic was about. A runtime error's text is the runtime's own and holds no caller's data
// beyond an index; other values aren't printed.
func panicText(r any) string {
	if err, ok := r.(interface {
		error
		RuntimeError()
	}); ok {
		return err.Error()
	}
	return "not a runtime error"
}

// SetTick asks for a tick every so many milliseconds.
func SetTick(milliseconds uint32) {
	if err := proxywasm.SetTickPeriodMilliSeconds(milliseconds); err != nil {
		Log(Error, "gatehouse: no ticks: "+err.Error())
	}
}

// Within runs f with another stream as the one that calls act on.
func Within(stream uint32, f func()) {
	if proxywasm.SetEffectiveContext(stream) == nil {
		f()
	}
}

// Resume lets a held request go on.
func Resume() {
	if err := proxywasm.ResumeHttpRequest(); err != nil {
		Log(Error, "gatehouse: a held request can't go on: "+err.Error())
	}
}
