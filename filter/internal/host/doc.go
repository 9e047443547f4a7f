//go:build wasip1

// Package host is the filter's one door to the proxy: the SDK for callbacks and ordinary calls, and imports of its own
// for the calls that the SDK lacks (response code details, clocks without the time package) or that allocate per request.
// It is the only importer of the SDK.
//
// Memory: what a call of this package returns lives in memory that the host had the module allocate; it is ordinary Go
// memory, valid for as long as it is referenced, and never written again by the host.
package host
