package vm

import (
	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/internal/stream"
	"gatehouse/hostsim/internal/wasm"
)

// The methods in this file implement stream.Filter for the context of a stream.

var _ stream.Filter = (*Context)(nil)

// parts are the callbacks of the parts of a stream.
var parts = [...]wasm.Callback{
	stream.RequestHeaders:   wasm.RequestHeaders,
	stream.RequestBody:      wasm.RequestBody,
	stream.RequestTrailers:  wasm.RequestTrailers,
	stream.ResponseHeaders:  wasm.ResponseHeaders,
	stream.ResponseBody:     wasm.ResponseBody,
	stream.ResponseTrailers: wasm.ResponseTrailers,
}

// Create implements stream.Filter.
func (c *Context) Create() { c.create(c.root.id) }

// Created implements stream.Filter.
func (c *Context) Created() bool { return c.created }

// Failed implements stream.Filter.
func (c *Context) Failed() bool { return c.vm.failed }

// Sees implements stream.Filter.
func (c *Context) Sees(p stream.Part) bool { return c.vm.has(parts[p]) }

// Show implements stream.Filter.
func (c *Context) Show(p stream.Part, size int, endStream bool) (abi.Action, bool) {
	end := uint64(0)
	if endStream {
		end = 1
	}
	result, ok := c.vm.call(c, parts[p], uint64(c.id), uint64(size), end)
	switch {
	case !ok:
		return abi.ActionContinue, false
	case c.vm.stopIteration:
		return abi.ActionPauseNoBuffer, true
	}
	return abi.Action(result), true
}

// Finish implements stream.Filter.
func (c *Context) Finish() { c.vm.finish() }

// Log implements stream.Filter.
func (c *Context) Log() {
	if c.vm.has(wasm.Log) {
		c.vm.callback(c, wasm.Log, uint64(c.id))
	}
}

// Done implements stream.Filter.
func (c *Context) Done() { c.done() }
