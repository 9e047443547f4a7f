package proxy

import (
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"gatehouse/hostsim"
)

// hopByHop are the fields that belong to one connection (RFC 9110, 7.6.1).
var hopByHop = map[string]bool{
	"connection": true, "keep-alive": true, "proxy-connection": true, "transfer-encoding": true, "upgrade": true,
}

// nominated are the fields that the Connection field of h names, in lower case. They too belong to
// one connection (RFC 9110, 7.6.1).
func nominated(h http.Header) map[string]bool {
	var names map[string]bool
	for _, value := range h["Connection"] {
		for token := range strings.SplitSeq(value, ",") {
			if names == nil {
				names = map[string]bool{}
			}
			names[strings.ToLower(strings.Trim(token, " \t"))] = true
		}
	}
	return names
}

// fields lists h by name, in lower case and without what belongs to a connection. net/http keeps no
// order between names, so they are sorted.
func fields(h http.Header) []hostsim.Header {
	var list []hostsim.Header
	ofConnection := nominated(h)
	for _, name := range slices.Sorted(maps.Keys(h)) {
		lower := strings.ToLower(name)
		if hopByHop[lower] || ofConnection[lower] && lower != "te" {
			continue
		}
		for _, v := range h[name] {
			if lower == "te" && v != "trailers" {
				continue
			}
			list = append(list, hostsim.Header{Name: lower, Value: v})
		}
	}
	return list
}

// responseFields lists a response's headers, with those that net/http has taken
// away as the transport's business but which Envoy shows.
func responseFields(resp *http.Response) []hostsim.Header {
	h := resp.Header
	if len(resp.Trailer) > 0 {
		h = h.Clone()
		h.Set("Trailer", strings.Join(slices.Sorted(maps.Keys(resp.Trailer)), ", "))
	}
	list := fields(h)
	for _, coding := range resp.TransferEncoding {
		list = append(list, hostsim.Header{Name: "transfer-encoding", Value: coding})
	}
	return list
}

// copyFields adds the fields of h, without pseudo-headers, to dst.
func copyFields(dst http.Header, h *hostsim.Headers) {
	for _, f := range h.All() {
		if !strings.HasPrefix(f.Name, ":") && !hopByHop[f.Name] {
			dst.Add(f.Name, f.Value)
		}
	}
}

// request describes r to the host.
func (p *Proxy) request(r *http.Request, at place) hostsim.Request {
	path, ok := target(r)
	if !ok { // of CONNECT
		path = r.RequestURI
	}
	req := hostsim.Request{
		Method:             r.Method,
		Scheme:             "http",
		Authority:          r.Host,
		Path:               path,
		Plugin:             p.opts.Plugin,
		Protocol:           protocol(r),
		SourceAddress:      r.RemoteAddr,
		DestinationAddress: localAddr(r),
		ConnectionID:       at.id,
		RouteName:          p.opts.RouteName,
		ClusterName:        p.opts.ClusterName,
		VirtualHost:        p.opts.VirtualHost,
		Metadata:           p.opts.Metadata,
		NoRecord:           true,
	}
	if p.opts.Upstream != nil {
		req.UpstreamAddress = p.opts.Upstream.Host
	}
	h := r.Header.Clone()
	for name := range nominated(r.Header) {
		if name != "te" {
			h.Del(name) // what the proxy itself adds below stays
		}
	}
	h.Del("Connection")
	h.Del("Host")   // HTTP/2 may have it beside :authority, which counts
	h.Del("Expect") // 100-continue, which net/http meets as Envoy does
	if r.ContentLength > 0 {
		h.Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	}
	if p.opts.UseRemoteAddress {
		if ip, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
			h.Add("X-Forwarded-For", ip)
		}
		h.Set("X-Forwarded-Proto", "http")
	}
	req.Headers = fields(h)
	return req
}

// wantsTunnel reports whether the client asks for anything but a response. An
// upgrade to HTTP/2 is no more than a wish (RFC 7540, 3.2).
func wantsTunnel(r *http.Request) bool {
	if r.Method == http.MethodConnect {
		return true
	}
	upgrade := r.Header.Get("Upgrade")
	if r.ProtoMajor != 1 || upgrade == "" || strings.EqualFold(upgrade, "h2c") {
		return false
	}
	for _, value := range r.Header["Connection"] {
		for token := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(token), "upgrade") {
				return true
			}
		}
	}
	return false
}

func protocol(r *http.Request) string {
	if r.ProtoMajor == 2 {
		return "HTTP/2"
	}
	return r.Proto
}

func localAddr(r *http.Request) string {
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		return a.String()
	}
	return ""
}
