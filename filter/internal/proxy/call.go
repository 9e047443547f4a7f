package proxy

import (
	"errors"
	"strconv"
)

// Call is an HTTP request through one of the proxy's clusters.
type Call struct {
	Cluster             string
	Headers             [][2]string // pseudo-headers included
	Body                []byte
	TimeoutMilliseconds uint32
}

// CallEnd is how a Call ended. NumHeaders is 0 if no answer came, or one past the proxy's own
// bounds.
type CallEnd struct{ NumHeaders, BodySize int }

// Answer is the answer to a GET request. Status is 0 if nothing came, or an answer past the proxy's
// own bounds. If there is no connection, the proxy itself answers 503, and 504 after the timeout.
type Answer struct {
	Status       int
	CacheControl string
	Encoding     string // Content-Encoding; "" for none
	Body         []byte
	TooLarge     bool // the body was, and is left out
}

// Get is a GET request that wants JSON.
type Get struct {
	Cluster, Scheme, Authority, Path string
	TimeoutMilliseconds              uint32
	MaxBody                          int // bytes
}

// Send sends the request and calls done with the answer. It is Proxy.Call in all else.
func (g *Get) Send(p Proxy, done func(Answer)) error {
	maxBody := g.MaxBody
	return p.Call(&Call{
		Cluster: g.Cluster,
		Headers: [][2]string{
			{":method", "GET"}, {":path", g.Path}, {":authority", g.Authority}, {":scheme", g.Scheme},
			{"accept", "application/jwk-set+json, application/json"}, {"accept-encoding", "identity"}, {"user-agent", "gatehouse"},
		},
		TimeoutMilliseconds: g.TimeoutMilliseconds,
	}, func(end CallEnd) {
		defer Survive(p, "an HTTP callout's answer")
		done(readAnswer(p, end, maxBody))
	})
}

// readAnswer reads an answer. One that can't be read is none.
func readAnswer(p Proxy, end CallEnd, maxBody int) Answer {
	if end.NumHeaders == 0 {
		return Answer{}
	}
	status, err := p.Header(CallHeaders, ":status")
	if err != nil {
		return Answer{}
	}
	a := Answer{TooLarge: end.BodySize > maxBody}
	if a.Status, err = strconv.Atoi(status); err != nil {
		return Answer{}
	}
	if a.CacheControl, err = p.Header(CallHeaders, "cache-control"); err != nil {
		a.CacheControl = "" // it only says how soon to fetch again
	}
	if a.Encoding, err = p.Header(CallHeaders, "content-encoding"); err != nil {
		a.Encoding = "" // a body that isn't plain can't be read as JSON either
	}
	if end.BodySize > 0 && !a.TooLarge {
		if a.Body, err = p.CallBody(end.BodySize); err != nil {
			return Answer{}
		}
	}
	return a
}

// Unsent says why Call sent no request.
func Unsent(err error) string {
	why := err.Error()
	if errors.Is(err, BadArgument) { // that is all that Envoy says
		why = "the proxy has no such cluster, or no address for it yet"
	}
	return "no request can be sent: " + why
}
