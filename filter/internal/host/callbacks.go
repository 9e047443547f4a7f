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
	free   []*streamContext
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
	stream := c.plugin.NewStream(id)
	if n := len(c.free); n > 0 {
		s := c.free[n-1]
		c.free = c.free[:n-1]
		s.stream = stream
		return s
	}
	return &streamContext{plugin: c, stream: stream}
}

// streamContext is one stream. It is free for another one after its last callback.
type streamContext struct {
	types.DefaultHttpContext
	plugin *pluginContext
	stream proxy.Stream
}

func (c *streamContext) OnHttpRequestHeaders(int, bool) types.Action {
	outermost := openArena()
	a := c.stream.RequestHeaders()
	closeArena(outermost)
	return action(a)
}

func (c *streamContext) OnHttpRequestBody(int, bool) types.Action {
	return action(c.stream.RequestBody()) // it calls nothing
}

func (c *streamContext) OnHttpRequestTrailers(int) types.Action {
	outermost := openArena()
	a := c.stream.RequestTrailers()
	closeArena(outermost)
	return action(a)
}

func (c *streamContext) OnHttpResponseHeaders(_ int, alone bool) types.Action {
	outermost := openArena()
	a := c.stream.ResponseHeaders(alone)
	closeArena(outermost)
	return action(a)
}

func (c *streamContext) OnHttpResponseTrailers(int) types.Action {
	outermost := openArena()
	a := c.stream.ResponseTrailers()
	closeArena(outermost)
	return action(a)
}

func (c *streamContext) OnHttpStreamDone() {
	outermost := openArena()
	c.stream.Done()
	closeArena(outermost)
	c.plugin.free = append(c.plugin.free, c)
}

func action(a proxy.Action) types.Action {
	if a == proxy.Continue {
		return types.ActionContinue
	}
	return types.ActionPause
}
