package plugin

import (
	"gatehouse/core"
	"gatehouse/core/config"
	"gatehouse/core/reason"
	"gatehouse/filter/internal/metadata"
	"gatehouse/filter/internal/proxy"
)

const (
	sourceAddress   proxy.Path = "source\x00address"
	dynamicMetadata proxy.Path = "metadata"
)

// request reads the stream's request. It is valid until the next one is read. On an error it holds
// what could be read, and what says what couldn't.
func (p *plugin) request() (r *core.Request, what string, err error) {
	r = &p.req
	*r = core.Request{Headers: r.Headers[:0]}
	p.metadata, p.haveMeta = nil, false
	if len(p.sources) > 0 {
		r.External = p.claimsOf
	}
	if p.needs.Wall {
		if r.Wall, err = p.proxy.Now(); err != nil {
			return r, "the clock", err
		}
	}
	if p.needs.Mono {
		if r.Mono, err = p.proxy.Monotonic(); err != nil {
			return r, "the monotonic clock", err
		}
	}
	if r.Headers, err = p.headers(proxy.RequestHeaders); err != nil {
		return r, "the request's headers", err
	}
	for i := range r.Headers {
		switch h := &r.Headers[i]; h.Name {
		case ":method":
			r.Method = h.Value
		case ":path":
			r.Path = h.Value
		case ":authority":
			r.Host = h.Value
		}
	}
	if p.needs.Source {
		source, err := p.proxy.Property(sourceAddress)
		if err != nil && !proxy.Absent(err) {
			return r, "the client's address", err
		}
		r.Source = proxy.Text(source)
	}
	return r, "", nil
}

// headers reads a header map into the request's scratch. On an error there are none.
func (p *plugin) headers(m proxy.Map) ([]core.Header, error) {
	b, err := p.proxy.Headers(m)
	if err != nil {
		return p.req.Headers[:0], err
	}
	return proxy.AppendHeaders(b, p.req.Headers[:0])
}

// claimsSource is where the claims of a provider with claims_from are.
type claimsSource struct {
	provider int
	metadata.Source
}

func claimsSources(cfg *config.Config) (out []claimsSource) {
	for i := range cfg.Tokens.Providers {
		if from := cfg.Tokens.Providers[i].ClaimsFrom; from != nil {
			out = append(out, claimsSource{i, metadata.Source{
				Filter: from.Filter, Key: from.Key, FailedStatusKey: from.FailedStatusKey,
			}})
		}
	}
	return out
}

// claimsOf implements core.Request's External. The metadata are read once for all providers, and
// only if a token is wanted.
func (p *plugin) claimsOf(provider int) core.ExternalClaims {
	if !p.haveMeta {
		var err error
		if p.metadata, err = p.proxy.Property(dynamicMetadata); err != nil {
			proxy.Log(p.proxy, proxy.Error, "a request is refused: the dynamic metadata: "+err.Error())
			return core.ExternalClaims{Failure: reason.Internal}
		}
		p.haveMeta = true
	}
	for i := range p.sources {
		if s := &p.sources[i]; s.provider == provider {
			return s.Read(p.metadata)
		}
	}
	return core.ExternalClaims{}
}
