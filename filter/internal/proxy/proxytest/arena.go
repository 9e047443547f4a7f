package proxytest

import "gatehouse/filter/internal/proxy"

// Reusing returns a plugin whose streams lose what the proxy gave them when a callback ends, as the
// filter's do in the proxy: bytes of calls are overwritten then. What keeps a part of them has
// different bytes in it afterwards.
func (p *Proxy) Reusing(plugin proxy.Plugin) proxy.Plugin { return reusingPlugin{plugin, p} }

type reusingPlugin struct {
	proxy.Plugin
	px *Proxy
}

func (r reusingPlugin) NewStream(id uint32) proxy.Stream {
	return reusingStream{r.Plugin.NewStream(id), r.px}
}

type reusingStream struct {
	stream proxy.Stream
	px     *Proxy
}

func (r reusingStream) RequestHeaders() proxy.Action   { return r.run(r.stream.RequestHeaders) }
func (r reusingStream) RequestBody() proxy.Action      { return r.run(r.stream.RequestBody) }
func (r reusingStream) RequestTrailers() proxy.Action  { return r.run(r.stream.RequestTrailers) }
func (r reusingStream) ResponseTrailers() proxy.Action { return r.run(r.stream.ResponseTrailers) }

func (r reusingStream) ResponseHeaders(alone bool) proxy.Action {
	return r.run(func() proxy.Action { return r.stream.ResponseHeaders(alone) })
}

func (r reusingStream) Done() {
	r.run(func() proxy.Action { r.stream.Done(); return proxy.Continue })
}

func (r reusingStream) run(callback func() proxy.Action) proxy.Action {
	r.px.inStream, r.px.given = true, nil
	action := callback()
	for _, b := range r.px.given {
		for i := range b {
			b[i] = 'Z'
		}
	}
	r.px.inStream, r.px.given = false, nil
	return action
}

// give is how calls return bytes.
func (p *Proxy) give(b []byte) []byte {
	if p.inStream {
		p.given = append(p.given, b)
	}
	return b
}
