package core

import (
	"slices"

	"gatehouse/core/config"
)

// Needs says what a Gate uses of requests and of their ends. To read anything else would be wasted:
// most reads are a call of the proxy.
type Needs struct {
	Wall    bool // Request.Wall
	Mono    bool // Request.Mono
	Source  bool // Request.Source
	Outcome bool // Finish records events, from the Outcome
}

// Needs returns what the Gate's configuration makes it use.
func (g *Gate) Needs() Needs {
	c := g.cfg
	audits, tokens, limits := logs(&c.Audit), len(c.Tokens.Providers) > 0, len(c.Limits) > 0
	return Needs{
		Wall:    audits || tokens || c.LimitHeaders.Epoch,
		Mono:    audits || tokens || limits || c.Admin != nil, // the admin API tells how long it has been up
		Source:  audits || slices.ContainsFunc(c.Limits, byAddress),
		Outcome: audits,
	}
}

// byAddress reports whether the client's address can be part of a limit's key.
func byAddress(l config.Limit) bool {
	return slices.ContainsFunc(l.Identifier, func(alternatives []config.Element) bool {
		return slices.ContainsFunc(alternatives, func(e config.Element) bool { return e.Kind == config.IP })
	})
}
