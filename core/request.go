package core

import (
	"strings"

	"gatehouse/core/claims"
	"gatehouse/core/clock"
	"gatehouse/core/reason"
)

// Header is one header field; the name is in lower case, as HTTP/2 has it and Envoy delivers it.
type Header struct{ Name, Value string }

// Request is what a Gate sees of a request. Its strings need to stay valid only during the call.
type Request struct {
	Method string
	Path   string // as received, with query
	Host   string // :authority
	Source string // trusted client address, "192.0.2.1:4711" or "[2001:db8::1]:4711"; "" where unknown
	// Headers are all header fields in the order received, duplicates included; pseudo-headers may
	// be among them.
	Headers []Header
	// External returns what another filter found out about the request's token, for a provider with
	// claims_from. It is nil if no provider has claims_from.
	External func(provider int) ExternalClaims
	Wall     clock.Wall // arrival
	Mono     clock.Mono // arrival

	target target // where it goes, once the Gate has read it
}

// ExternalClaims is what another filter found out about a token: the claims that it verified, or
// why it refused the token.
type ExternalClaims struct {
	Claims  claims.Set    // when Present
	Present bool          // it verified a token
	Failure reason.Reason // it refused one; None when it found none
}

// header finds the first value of a header.
func (r *Request) header(name string) (string, bool) {
	for i := range r.Headers {
		if r.Headers[i].Name == name {
			return r.Headers[i].Value, true
		}
	}
	return "", false
}

// appendHeader appends the values of a header, with commas between them (RFC 9110 §5.3), and at
// most limit bytes of them. The host is the authority: HTTP/2 has no other place for it. ok is
// false if the request lacks the header.
//
//go:noinline
func (r *Request) appendHeader(dst []byte, name string, limit int) (_ []byte, ok bool) {
	end := len(dst) + limit
	for i := range r.Headers {
		h := &r.Headers[i]
		if h.Name != name {
			continue
		}
		if ok && len(dst) < end {
			dst = append(dst, ',')
		}
		dst, ok = append(dst, h.Value[:min(len(h.Value), end-len(dst))]...), true
	}
	if !ok && name == "host" {
		return append(dst, r.Host[:min(len(r.Host), limit)]...), r.Host != ""
	}
	return dst, ok
}

// isGRPC reports whether the proxy answers a request with a gRPC status, as Envoy decides it.
func (r *Request) isGRPC() bool {
	kind, _ := r.header("content-type")
	rest, ok := strings.CutPrefix(kind, "application/grpc")
	return ok && (rest == "" || rest[0] == '+')
}

// preflightMethod is the method that a CORS preflight asks for (Fetch §4.8); "" if the request
// isn't one.
func (r *Request) preflightMethod() string {
	if r.Method != "OPTIONS" {
		return ""
	}
	if _, ok := r.header("origin"); !ok {
		return ""
	}
	method, _ := r.header("access-control-request-method")
	return method
}
