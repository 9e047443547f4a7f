//go:build wasip1

// Command probe is a filter that lets tests use a shared.Store from outside the VM it runs in. Each
// request is one call:
//
//	x-call: get     x-key: HEX                             answer: x-version, and the value as body
//	x-call: set     x-key: HEX  x-value: HEX  x-version    answer: x-swapped
//
// An error of the Store is status 500.
package main

import (
	"encoding/hex"
	"strconv"

	"gatehouse/core/ratelimit"
	"gatehouse/filter/internal/host"
	"gatehouse/filter/internal/proxy"
	"gatehouse/filter/internal/shared"
)

func main() {}

func init() { host.Register(func(p proxy.Proxy, _ uint32) proxy.Plugin { return plugin{p} }) }

type plugin struct{ proxy proxy.Proxy }

func (plugin) Start([]byte) bool { return true }
func (plugin) Tick()             {}
func (plugin) Stop() bool        { return true }

func (p plugin) NewStream(uint32) proxy.Stream { return stream{p.proxy, shared.Store{Proxy: p.proxy}} }

type stream struct {
	proxy proxy.Proxy
	store shared.Store
}

func (s stream) RequestBody() proxy.Action         { return proxy.Pause }
func (s stream) RequestTrailers() proxy.Action     { return proxy.Pause }
func (s stream) ResponseHeaders(bool) proxy.Action { return proxy.Continue }
func (s stream) ResponseTrailers() proxy.Action    { return proxy.Continue }
func (s stream) Done()                             {}

// RequestHeaders implements proxy.Stream.
func (s stream) RequestHeaders() proxy.Action {
	s.answer()
	return proxy.Pause
}

func (s stream) answer() {
	key, err := s.argument("x-key")
	if err != nil {
		s.reply(400, "", "", "")
		return
	}
	switch call, _ := s.proxy.Header(proxy.RequestHeaders, "x-call"); call {
	case "get":
		value, version, err := s.store.Get(string(key))
		if err != nil {
			s.reply(500, "", "", "")
			return
		}
		s.reply(200, "x-version", strconv.FormatUint(uint64(version), 10), string(value))
	case "set":
		value, err := s.argument("x-value")
		text, _ := s.proxy.Header(proxy.RequestHeaders, "x-version")
		version, err2 := strconv.ParseUint(text, 10, 64)
		if err != nil || err2 != nil {
			s.reply(400, "", "", "")
			return
		}
		swapped, err := s.store.CompareAndSet(string(key), value, ratelimit.Version(version))
		if err != nil {
			s.reply(500, "", "", "")
			return
		}
		s.reply(200, "x-swapped", strconv.FormatBool(swapped), "")
	default:
		s.reply(400, "", "", "")
	}
}

// argument reads a header in hexadecimal; one that is missing is empty.
func (s stream) argument(name string) ([]byte, error) {
	text, _ := s.proxy.Header(proxy.RequestHeaders, name)
	return hex.DecodeString(text)
}

type header struct{ Name, Value string }

func (s stream) reply(status int, name, value, body string) {
	var headers []header
	if name != "" {
		headers = append(headers, header{name, value})
	}
	_ = s.proxy.Reply(&proxy.Reply{Status: status, Details: "probe", Headers: proxy.AppendPairs(nil, headers), Body: body, GRPC: proxy.NoGRPC})
}
