//go:build wasip1

package host

import (
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"

	"gatehouse/filter/internal/proxy"
)

// Register makes newPlugin the maker of plugin contexts.
func Register(newPlugin func(p proxy.Proxy, id uint32) proxy.Plugin) {
	proxywasm.SetVMContext(&vmContext{newPlugin: newPlugin})
}

type vmContext struct {
	types.DefaultVMContext
	newPlugin func(p proxy.Proxy, id uint32) proxy.Plugin
}

func (c *vmContext) NewPluginContext(id uint32) types.PluginContext {
	return &pluginContext{plugin: c.newPlugin(Proxy{}, id)}
}

type pluginContext struct {
	types.DefaultPluginContext
	plugin proxy.Plugin
}

func (c *pluginContext) OnPluginStart(size int) types.OnPluginStartStatus {
	var config []byte
	if size > 0 {
		var err error
		if config, err = proxywasm.GetPluginConfiguration(); err != nil {
			proxy.Log(Proxy{}, proxy.Critical, "the plugin configuration can't be read: "+err.Error())
			return types.OnPluginStartStatusFailed
		}
	}
	if !c.plugin.Start(config) {
		return types.OnPluginStartStatusFailed
	}
	return types.OnPluginStartStatusOK
}

func (c *pluginContext) OnTick() { c.plugin.Tick() }

func (c *pluginContext) OnPluginDone() bool { return c.plugin.Stop() }

func (c *pluginContext) NewHttpContext(id uint32) types.HttpContext {
	return &streamContext{stream: c.plugin.NewStream(id)}
}

// streamContext is one stream of the proxy's. Unlike what it calls, it is never used again.
type streamContext struct {
	types.DefaultHttpContext
	stream proxy.Stream
}

func (c *streamContext) OnHttpRequestHeaders(int, bool) types.Action {
	defer closeArena(openArena())
	return action(c.stream.RequestHeaders())
}

func (c *streamContext) OnHttpRequestBody(int, bool) types.Action {
	defer closeArena(openArena())
	return action(c.stream.RequestBody())
}

func (c *streamContext) OnHttpRequestTrailers(int) types.Action {
	defer closeArena(openArena())
	return action(c.stream.RequestTrailers())
}

func (c *streamContext) OnHttpResponseHeaders(_ int, alone bool) types.Action {
	defer closeArena(openArena())
	return action(c.stream.ResponseHeaders(alone))
}

func (c *streamContext) OnHttpResponseTrailers(int) types.Action {
	defer closeArena(openArena())
	return action(c.stream.ResponseTrailers())
}

func (c *streamContext) OnHttpStreamDone() {
	defer closeArena(openArena())
	stream := c.stream
	c.stream = ended{} // the plugin may use the stream for another request from now on
	stream.Done()
}

// ended is a stream after Done. It lets nothing through.
type ended struct{}

func (ended) RequestHeaders() proxy.Action      { return proxy.Pause }
func (ended) RequestBody() proxy.Action         { return proxy.Pause }
func (ended) RequestTrailers() proxy.Action     { return proxy.Pause }
func (ended) ResponseHeaders(bool) proxy.Action { return proxy.Pause }
func (ended) ResponseTrailers() proxy.Action    { return proxy.Pause }
func (ended) Done()                             {}

func action(a proxy.Action) types.Action {
	if a == proxy.Continue {
		return types.ActionContinue
	}
	return types.ActionPause
}
