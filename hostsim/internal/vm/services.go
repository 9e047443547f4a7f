// Package vm runs filters in VMs: the contexts that a guest knows, their life and their callbacks.
package vm

import (
	"context"
	"io"

	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/internal/callout"
	"gatehouse/hostsim/internal/clock"
	"gatehouse/hostsim/internal/metrics"
	"gatehouse/hostsim/internal/shared"
	"gatehouse/hostsim/internal/wasm"
)

// Services are what a process offers to its VMs. They are safe for concurrent use.
type Services struct {
	// Context is what guests run with; it is never cancelled.
	Context  context.Context
	Module   *wasm.Module
	Clock    clock.Clock
	Random   io.Reader
	Data     *shared.Data
	Queues   *shared.Queues
	Metrics  *metrics.Registry
	Callouts *callout.Dispatcher
	// Foreign are the foreign functions; a nil function is missing.
	Foreign  map[string]func(args []byte) ([]byte, abi.Status)
	LogLevel abi.LogLevel
	Log      func(worker int, plugin string, level abi.LogLevel, message string)
	// Fault says what becomes of a host call: a status other than OK replaces it, and trap ends the
	// VM. It is nil if no faults are injected.
	Fault func(name, subject string, worker int, plugin string) (status abi.Status, trap bool)
}

// Thread is the thread of a VM.
type Thread interface {
	Number() int
	// Ticks reports whether plugins get ticks on this thread.
	Ticks() bool
	// Do runs f on the thread, and then whatever f made due. Only does not do the latter.
	Do(f func())
	Only(f func())
	// Post queues f to run on the thread.
	Post(f func())
}

// Plugin is a configured filter.
type Plugin struct {
	Name, RootID, VMID string
	Config, VMConfig   []byte
	Env                map[string]string
}

// Key decides which plugins share a VM.
type Key struct{ VMID, VMConfig string }

// Key returns the key of the plugin's VM.
func (p *Plugin) Key() Key { return Key{p.VMID, string(p.VMConfig)} }
