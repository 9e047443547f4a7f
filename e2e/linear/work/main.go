// Program work prints how much work each of its cases costs with an input of some size and of twice
// that size. It is built as package linear says.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"runtime/coverage"
	"strings"

	"gatehouse/core"
	"gatehouse/core/audit"
	"gatehouse/core/claims"
	"gatehouse/core/clock"
	"gatehouse/core/config"
	"gatehouse/core/jwks"
	"gatehouse/core/ratelimit"
	"gatehouse/e2e/linear/counted"
)

// size is that of the smaller input in bytes. Envoy's own limit for all headers of a request is 60
// KiB.
const size = 16 << 10

// units are what an input repeats: each separator that core knows, alone and with something between
// two of them.
var units = []string{
	",", ", ", ",a", ", a b", ";", "; a=b", ";a", "=", " ", "\t", `"`, `\`, `\"`, "a,", ".", "..", ".a", "/", "//", "/a", "/..",
	"%", "%2f", "%25", "%3B", "?", "#", "&", ":", "[", "]", "{", "}", "[1,", `{"a":`, `"a":1,`, "0", "9", "e", "-", "_", "a", "\x00", "\xff", "é",
	"Bearer a, ", "session=a;", "x-gatehouse-a,",
}

const document = `{
	"tokens": {
		"token_from": [{"header": "authorization", "scheme": "Bearer"}, {"header": "x-token"}, {"cookie": "session"}],
		"providers": [{"name": "main", "issuer": "https://idp.example", "audiences": ["a"], "algorithms": ["HS256"],
			"jwks": {"inline": {"keys": [{"kty": "oct", "k": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]}}}]
	},
	"unsafe_paths": "allow", "path_case": "ignore", "cors_preflight": "pass",
	"cors": {"allow_origins": ["https://app.example"]},
	"routes": [{"path": "/a/*/b/**", "auth": "optional", "hosts": ["*.example.com"]}, {"path": "/**", "auth": "optional"}],
	"rate_limits": [{"name": "l", "max_requests": 1000000, "window_seconds": 60, "identifier": ["ip", "header:x-key", "host", "method"]}],
	"audit": {"headers": ["x-key", "host"], "exclude_paths": ["/health/*/x"]}
}`

func main() {
	cfg, err := config.Parse([]byte(document), nil)
	check(err)
	gate, err := core.New(cfg, core.Host{Store: ratelimit.NewMemoryStore(), Mono: func() clock.Mono { return 1 }})
	check(err)
	var d core.Decision
	decide := func(change func(r *core.Request, input string)) func(string) {
		return func(input string) {
			r := &core.Request{Method: "GET", Path: "/a/b", Host: "api.example.com", Source: "192.0.2.1:1", Mono: 1}
			change(r, input)
			gate.Decide(r, &d)
			gate.Finish(&d, core.Outcome{Status: 200, Details: "via_upstream", Mono: 2}, func([]byte) {})
		}
	}
	header := func(name, before string) func(string) {
		return decide(func(r *core.Request, input string) {
			r.Headers = append(r.Headers, core.Header{Name: name, Value: before + input})
		})
	}
	cases := map[string]func(input string){
		"authorization":     header("authorization", ""),
		"a bearer token":    header("authorization", "Bearer "),
		"other credentials": header("authorization", "Digest a"),
		"a token's header":  header("x-token", ""),
		"a cookie":          header("cookie", ""),
		"connection":        header("connection", ""),
		"origin":            header("origin", ""),
		"a key's header":    header("x-key", ""),
		"user-agent":        header("user-agent", ""),
		"content-type":      header("content-type", "application/grpc"),
		"a header's name": decide(func(r *core.Request, input string) {
			r.Headers = append(r.Headers, core.Header{Name: "x-gatehouse-" + input})
		}),
		"many headers": decide(func(r *core.Request, input string) {
			for i := 0; i+8 <= len(input); i += 8 {
				for _, name := range []string{"x-key", "cookie", "connection"} {
					r.Headers = append(r.Headers, core.Header{Name: name, Value: input[i : i+8]})
				}
			}
		}),
		"path":      decide(func(r *core.Request, input string) { r.Path = "/" + input }),
		"a query":   decide(func(r *core.Request, input string) { r.Path = "/a?" + input }),
		"authority": decide(func(r *core.Request, input string) { r.Host = input }),
		"method":    decide(func(r *core.Request, input string) { r.Method = input }),
		"address":   decide(func(r *core.Request, input string) { r.Source = input }),
		"response code details": func(input string) {
			gate.Unseen(&core.Request{Method: "GET", Path: "/", Host: "a"}, &d)
			gate.Finish(&d, core.Outcome{Status: 200, Details: input}, func([]byte) {})
		},
		"an upstream's event": func(input string) { _, _, _ = audit.ParseCustom(`{"event_type":"x","a":"` + input) },
		"an event's JSON":     func(input string) { _, _, _ = audit.ParseCustom(input) },
		"claims":              func(input string) { _, _ = claims.Parse([]byte(input)) },
		"a claim":             func(input string) { _, _ = claims.Parse([]byte(`{"a":"` + input)) },
		"a number": func(input string) {
			if set, err := claims.Parse([]byte(`{"exp":1` + strings.Map(digits, input) + `}`)); err == nil {
				set.Date("exp")
			}
		},
		"a JWK Set":         func(input string) { _, _ = jwks.Parse([]byte(input)) },
		"a JWK":             func(input string) { _, _ = jwks.Parse([]byte(`{"keys":[{"kty":"oct","k":"` + input + `"}]}`)) },
		"a configuration":   func(input string) { _, _ = config.Parse([]byte(input), nil) },
		"a configured path": func(input string) { _, _ = config.Parse([]byte(`{"routes":[{"path":"/`+input+`"}]}`), nil) },
		"the control": func(input string) { // quadratic: each separator searches the rest of the input
			for i := range len(input) {
				counted.Cut(input[i:], "\x01")
			}
		},
	}
	for name, run := range cases {
		for _, unit := range units {
			input := strings.Repeat(unit, 2*size/len(unit)+1)
			run(input[:size]) // buffers that are reused grow here
			run(input[:2*size])
			fmt.Printf("%s\t%q\t%d\t%d\n", name, unit, work(run, input[:size]), work(run, input[:2*size]))
		}
	}
}

func digits(r rune) rune {
	if '0' <= r && r <= '9' {
		return r
	}
	return '7'
}

// work is what a run costs: blocks of core's code, bytes that strings read, and bytes allocated, a
// sixteenth each.
func work(run func(string), input string) uint64 {
	check(coverage.ClearCounters())
	counted.Bytes = 0
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run(input)
	runtime.ReadMemStats(&after)
	var counters bytes.Buffer
	check(coverage.WriteCounters(&counters))
	return blocks(counters.Bytes()) + counted.Bytes + (after.TotalAlloc-before.TotalAlloc)/16
}

// blocks adds up the counters in the format of Go's coverage data files (internal/coverage:
// CounterFileHeader, CounterSegmentHeader, then for each function the number of its counters, two
// ids, and the counters).
func blocks(b []byte) (sum uint64) {
	const header, segment, footer = 4 + 4 + 16 + 8, 8 + 4 + 4, 16
	if len(b) < header+segment || !bytes.Equal(b[:4], []byte{0, 'c', 'w', 'm'}) || b[24] != 2 {
		check(fmt.Errorf("coverage counters in a format that isn't known"))
	}
	functions := binary.LittleEndian.Uint64(b[header:])
	tables := int(binary.LittleEndian.Uint32(b[header+8:]) + binary.LittleEndian.Uint32(b[header+12:]))
	at := header + segment + tables
	at = (at + 3) &^ 3
	next := func() uint64 {
		v, n := binary.Uvarint(b[at : len(b)-footer])
		if n <= 0 {
			check(fmt.Errorf("coverage counters end early"))
		}
		at += n
		return v
	}
	for range functions {
		n := next()
		next()
		next()
		for range n {
			sum += next()
		}
	}
	return sum
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
