//go:build wasip1

// Package host is the filter's one door to the proxy: proxy.Proxy over the SDK and over imports of
// its own, for the calls that the SDK lacks (response code details, clocks without the time
// package) or that allocate for each request. It is the only importer of the SDK, and the only
// package that builds for WebAssembly alone: what needs a decision or a test is elsewhere.
package host
