package admin

import "strings"

// endpoint is what a path answers to.
type endpoint struct {
	path           string // one that ends in / has more behind it
	get, post, del handler
}

// handler answers a request. rest is what follows the endpoint's path.
type handler func(a *API, r *Request, rest string) Response

var endpoints = [...]endpoint{
	{path: "/metrics", get: (*API).metrics},
	{path: "/metrics/prometheus", get: (*API).prometheus},
	{path: "/metrics/reset", post: (*API).resetMetrics},
	{path: "/rate-limits", del: (*API).clearLimits},
	{path: "/rate-limits/", get: (*API).lookUp, del: (*API).resetLimit},
	{path: "/audit/heads", get: (*API).heads},
	{path: "/refusals", get: (*API).refusals},
	{path: "/config", get: (*API).config},
	{path: "/ready", get: (*API).ready},
	{path: "/stats", get: (*API).stats},
}

// route finds a path's endpoint. Paths are compared byte by byte: each endpoint has one spelling,
// without a query.
func route(path string) (e *endpoint, rest string, ok bool) {
	for i := range endpoints {
		e = &endpoints[i]
		if path == e.path && !strings.HasSuffix(path, "/") {
			return e, "", true
		}
		if strings.HasSuffix(e.path, "/") {
			if rest, ok = strings.CutPrefix(path, e.path); ok && !strings.ContainsAny(rest, "?#") {
				return e, rest, true
			}
		}
	}
	return nil, "", false
}

func (e *endpoint) serve(method string) handler {
	switch method {
	case "GET":
		return e.get
	case "POST":
		return e.post
	case "DELETE":
		return e.del
	}
	return nil
}

// allow is the value of the Allow header (RFC 9110 §10.2.1).
func (e *endpoint) allow() string {
	allowed := ""
	for _, method := range [...]string{"GET", "POST", "DELETE"} {
		if e.serve(method) != nil {
			allowed += ", " + method
		}
	}
	return allowed[2:]
}
