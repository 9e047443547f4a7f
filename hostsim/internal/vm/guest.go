package vm

import (
	"gatehouse/hostsim/internal/callout"
	"gatehouse/hostsim/internal/wasm"
)

// guest is a plugin context as its callouts know it.
type guest struct{ *Context }

var _ callout.Guest = guest{}

// events are the callbacks about callouts.
var events = [...]wasm.Callback{
	callout.HTTPResponse:         wasm.HTTPCallResponse,
	callout.GRPCInitialMetadata:  wasm.GRPCInitialMetadata,
	callout.GRPCMessage:          wasm.GRPCReceive,
	callout.GRPCTrailingMetadata: wasm.GRPCTrailingMetadata,
	callout.GRPCClose:            wasm.GRPCClose,
}

// Do implements callout.Guest.
func (g guest) Do(f func()) { g.vm.Thread.Do(f) }

// Only implements callout.Guest.
func (g guest) Only(f func()) { g.vm.Thread.Only(f) }

// Gone implements callout.Guest.
func (g guest) Gone() bool { return g.vm.failed || g.deleted }

// Hears implements callout.Guest.
func (g guest) Hears(e callout.Event) bool { return g.vm.has(events[e]) }

// Tell implements callout.Guest.
func (g guest) Tell(e callout.Event, token uint32, args ...int) {
	all := []uint64{uint64(g.id), uint64(token)}
	for _, a := range args {
		all = append(all, uint64(a))
	}
	g.vm.callback(g.Context, events[e], all...)
}

// AfterCall implements callout.Guest.
func (g guest) AfterCall(f func()) { g.vm.AfterCall(f) }
