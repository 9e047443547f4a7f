//go:build wasip1

// Command probe is a filter that lets tests use a shared.Store from outside the VM it runs in. Each request is one call:
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
	"gatehouse/filter/internal/shared"
)

func main() {}

func init() { host.Register(func(uint32) host.Plugin { return plugin{} }) }

type plugin struct{}

func (plugin) Start([]byte) bool            { return true }
func (plugin) Tick()                        {}
func (plugin) Stop()                        {}
func (plugin) NewStream(uint32) host.Stream { return &stream{} }

type stream struct{ store shared.Store }

func (s *stream) ResponseHeaders() {}
func (s *stream) Done()            {}
func (s *stream) Goes() bool       { return false }
func (s *stream) RequestTrailers() {}
func (s *stream) Panicked()        { reply(500, "", "", "") }

// RequestHeaders implements host.Stream.
func (s *stream) RequestHeaders() bool {
	key, err := argument("x-key")
	if err != nil {
		reply(400, "", "", "")
		return false
	}
	switch call, _ := host.Header(host.RequestHeaders, "x-call"); call {
	case "get":
		value, version, err := s.store.Get(string(key))
		if err != nil {
			reply(500, "", "", "")
			return false
		}
		reply(200, "x-version", strconv.FormatUint(uint64(version), 10), string(value))
	case "set":
		value, err := argument("x-value")
		text, _ := host.Header(host.RequestHeaders, "x-version")
		version, err2 := strconv.ParseUint(text, 10, 64)
		if err != nil || err2 != nil {
			reply(400, "", "", "")
			return false
		}
		swapped, err := s.store.CompareAndSet(string(key), value, ratelimit.Version(version))
		if err != nil {
			reply(500, "", "", "")
			return false
		}
		reply(200, "x-swapped", strconv.FormatBool(swapped), "")
	default:
		reply(400, "", "", "")
	}
	return false
}

// argument reads a header in hexadecimal; one that is missing is empty.
func argument(name string) ([]byte, error) {
	text, _ := host.Header(host.RequestHeaders, name)
	return hex.DecodeString(text)
}

type header struct{ Name, Value string }

func reply(status int, name, value, body string) {
	var headers []header
	if name != "" {
		headers = append(headers, header{name, value})
	}
	host.LocalReply(status, "probe", headers, body, -1)
}
