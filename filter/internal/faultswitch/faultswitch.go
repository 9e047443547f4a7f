//go:build faultswitch

// Package faultswitch lets a request kill the VM that serves it. Tests build the module with it
// (-tags faultswitch) to find out what a proxy does when a VM dies. The shipped module is built
// without the tag, and then there is no such package.
//
// A request asks for a fault by the header x-vm-fault: "KIND@PLACE", for instance "trap@after
// request headers". The kinds are the keys of kinds. A place is the name of a callback, of which
// each has one before and one after it.
package faultswitch

import (
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"gatehouse/filter/internal/proxy"
)

const header = "x-vm-fault"

// kinds are the ways in which a VM dies. The code that recovers from panics can't stop them.
var kinds = map[string]func(){
	"trap":   trap,
	"exit":   func() { syscall.Exit(1) },
	"fatal":  func() { new(sync.Mutex).Unlock() }, // a fatal error of the Go runtime
	"memory": exhaust,
	"stack":  func() { recurse(0) },
}

// trap reads beyond the end of the linear memory.
//
//go:noinline
func trap() {
	beyond := ^uintptr(0) >> 32
	kept = append(kept, *(*[1]byte)(unsafe.Pointer(beyond)))
}

var kept [][1]byte

// exhaust allocates until the host gives no more memory.
func exhaust() {
	for blocks := [][]byte{}; ; {
		block := make([]byte, 16<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		blocks = append(blocks, block)
	}
}

//go:noinline
func recurse(n int) int {
	var frame [512]byte
	frame[n&511] = 1
	return recurse(n+1) + int(frame[(n+1)&511])
}

// Wrap makes the plugin contexts that newPlugin makes fail as requests ask.
func Wrap(newPlugin func(proxy.Proxy, uint32) proxy.Plugin) func(proxy.Proxy, uint32) proxy.Plugin {
	return func(p proxy.Proxy, id uint32) proxy.Plugin { return &plugin{newPlugin(p, id), p, ""} }
}

type plugin struct {
	proxy.Plugin
	proxy proxy.Proxy
	tick  string // the kind of the fault that waits for the next tick; "" for none
}

// Tick implements proxy.Plugin.
func (p *plugin) Tick() {
	if fail := kinds[p.tick]; fail != nil {
		fail()
	}
	p.Plugin.Tick()
}

// NewStream implements proxy.Plugin.
func (p *plugin) NewStream(id uint32) proxy.Stream {
	return &stream{Stream: p.Plugin.NewStream(id), plugin: p}
}

type stream struct {
	proxy.Stream
	plugin      *plugin
	kind, place string // of the fault; "" for none
}

// at fails if the request asks for a fault at this place.
func (s *stream) at(place string) {
	if fail := kinds[s.kind]; fail != nil && place == s.place {
		fail()
	}
}

// RequestHeaders implements proxy.Stream.
func (s *stream) RequestHeaders() proxy.Action {
	// Envoy gives the request's headers to this callback and, at the end, to Done.
	if value, err := s.plugin.proxy.Header(proxy.RequestHeaders, header); err == nil {
		s.kind, s.place, _ = strings.Cut(value, "@")
	}
	if s.place == "tick" {
		s.plugin.tick = s.kind
	}
	s.at("request headers")
	action := s.Stream.RequestHeaders()
	s.at("after request headers")
	return action
}

// RequestBody implements proxy.Stream.
func (s *stream) RequestBody() proxy.Action {
	s.at("request body")
	return s.Stream.RequestBody()
}

// ResponseHeaders implements proxy.Stream.
func (s *stream) ResponseHeaders(end bool) proxy.Action {
	s.at("response headers")
	action := s.Stream.ResponseHeaders(end)
	s.at("after response headers")
	return action
}

// Done implements proxy.Stream.
func (s *stream) Done() {
	s.at("done")
	s.Stream.Done()
	s.at("after done")
}
