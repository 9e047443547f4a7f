package abifuzz

import (
	"strings"

	"gatehouse/hostsim"
)

var (
	methods = []string{"GET", "POST", "OPTIONS", "HEAD", "delete", "DELETE", "CONNECT", "PUT"}
	paths   = []string{
		"/api/x", "/public/a", "/cors/x", "/named/a?b=%00", "/account/me", "/batch/run?x=1", "/tenants/a", "/api/%61",
		"/health", "/api/%2e%2e/health", "/api//x", "/API/x", "/", "*", "/api/é", "/public/%00", "//", "/api/x#y",
	}
	authorities = []string{"a.example", "A.example:80", "b.example", "a.example:80a", "a,b", "u@a.example", "[::1]:80"}
	sources     = []string{"192.0.2.1:4711", "[2001:db8::1]:1", "", "pipe", "192.0.2.1", "[::ffff:192.0.2.1]:9", "@envoy"}
	statuses    = []string{"200", "401", "404", "429", "500", "503", "204", "", "abc"}
	names       = []string{
		"authorization", "cookie", "origin", "access-control-request-method", "x-forwarded-for", "content-type", "te", "connection",
		"x-gatehouse-user-id", "x_gatehouse_caller", "x.gatehouse-scopes", "x-tenant", "x-audit-event", "upgrade",
	}
	values = []string{"", "GET", "https://app.example", "9.9.9.9", "application/grpc", "trailers", "x-gatehouse-user-id", "a,b", "session=1", "mallory", "{}", `{"event":"x"}`}
)

// joined are the names whose values Envoy joins with a comma.
var joined = map[string]bool{
	"authorization": true, "origin": true, "access-control-request-method": true, "x-forwarded-for": true, "content-type": true,
	"te": true, "connection": true, "upgrade": true, "user-agent": true,
}

// fields draws header fields. No name that Envoy joins comes twice.
func (f *fixture) fields(in *input) (list []hostsim.Header) {
	add := func(name, value string) {
		if joined[name] {
			for i := range list {
				if list[i].Name == name {
					list[i].Value += "," + value
					return
				}
			}
		}
		list = append(list, hostsim.Header{Name: name, Value: value})
	}
	for range in.below(5) {
		switch in.below(4) {
		case 0:
			add("authorization", mostly(in, 2, []string{"Bearer ", "bearer ", "Basic ", "Bearer  ", ""})+mostly(in, 4, f.tokens))
		case 1:
			add("cookie", one(in, []string{"session=", "session =", "a=b; session=", ""})+mostly(in, 4, f.tokens))
		case 2:
			add(one(in, names), one(in, values))
		default:
			add("x-"+strings.ToLower(in.text()), in.text())
		}
	}
	return list
}

// request draws a request.
func (f *fixture) request(in *input) hostsim.Request {
	path := mostly(in, 8, paths)
	if in.below(8) == 0 {
		path += in.text()
	}
	req := hostsim.Request{
		Method: mostly(in, 3, methods), Path: path, Authority: mostly(in, 3, authorities), SourceAddress: mostly(in, 2, sources), Scheme: "http",
		Headers: append([]hostsim.Header{{Name: "x-forwarded-proto", Value: "http"}, {Name: "x-request-id", Value: "5f0c1f5e-0000-4000-8000-000000000000"}}, f.fields(in)...),
	}
	return req
}

// metadata draws what other filters may leave, of any shape.
func (in *input) metadata() map[string]map[string]any {
	var value func(depth int) any
	value = func(depth int) any {
		switch n := in.below(9); {
		case n == 0:
			return nil
		case n == 1:
			return in.bool()
		case n == 2:
			return float64(in.byte()) * 1e8
		case n == 3 || depth == 0:
			return one(in, append([]string{in.text()}, "alice", "https://idp.example", "orders", "jobs/write"))
		case n == 4:
			return []any{value(depth - 1), value(depth - 1)}
		default:
			object := map[string]any{}
			for range in.below(7) {
				object[one(in, []string{"iss", "sub", "aud", "exp", "client_id", "azp", "scope", "groups", in.text()})] = value(depth - 1)
			}
			return object
		}
	}
	return map[string]map[string]any{"envoy.filters.http.jwt_authn": {"payload": value(3), "fail": value(1)}}
}
