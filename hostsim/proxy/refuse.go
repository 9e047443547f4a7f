package proxy

import (
	"net/http"
	"strings"
)

// refusal returns the status with which a request is refused before any filter sees it, as Envoy's
// codec refuses it, and the reason; 0 if the request may go on.
func (p *Proxy) refusal(r *http.Request) (status int, reason string) {
	switch {
	case !r.ProtoAtLeast(1, 1):
		return http.StatusUpgradeRequired, "HTTP/1.0 is not supported"
	case p.tooLarge(r):
		return http.StatusRequestHeaderFieldsTooLarge, "the request's header fields are too large or too many"
	case r.Host == "":
		return http.StatusBadRequest, "the request names no host"
	case r.Method == http.MethodConnect:
		return 0, "" // its target is no path; the handler refuses it
	}
	if _, ok := target(r); !ok {
		return http.StatusBadRequest, "the request's target is no path"
	}
	return 0, ""
}

// tooLarge reports whether the head of a request goes over a bound.
func (p *Proxy) tooLarge(r *http.Request) bool {
	bytes, fields := len(r.RequestURI)+len(r.Host), 1 // the host is a field too
	for name, values := range r.Header {
		fields += len(values)
		for _, v := range values {
			bytes += len(name) + len(v)
		}
	}
	return bytes > p.opts.MaxHeaderBytes || fields > p.opts.MaxHeaderFields
}

// refuse answers a request that no filter sees.
func refuse(w http.ResponseWriter, r *http.Request, status int, reason string) {
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
	http.Error(w, reason, status)
}

// target returns the path and query byte for byte as the client sent them, and whether the
// request's target is one that has them: a path, an absolute URL of HTTP without a user (RFC 9112,
// 3.2), or the asterisk of OPTIONS. As in Envoy none may have a fragment.
func target(r *http.Request) (string, bool) {
	t := r.RequestURI
	switch {
	case strings.Contains(t, "#"):
		return "", false
	case strings.HasPrefix(t, "/"):
		return t, true
	case t == "*":
		return t, r.Method == http.MethodOptions
	case r.ProtoMajor != 1: // only HTTP/1 has absolute targets
		return "", false
	}
	u := r.URL
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return "", false
	}
	_, t, _ = strings.Cut(t, "://")
	end := strings.IndexAny(t, "/?")
	if end < 0 {
		return "/", true
	}
	if t = t[end:]; t[0] == '?' {
		t = "/" + t
	}
	return t, true
}
