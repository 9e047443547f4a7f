// Package admin is the admin API: what it answers to each request (API), and what gates tell it
// (Feed).
//
// The API is a role of the filter. Its plugin instance has the gate's configuration and the gate's
// vm_id, so it sees the gate's state in the proxy: counters, which the proxy adds up over all
// workers, and shared data. What the proxy can't add up, gates write to shared data, but only while
// an admin API is there: it leaves its mark there, and a gate without one reads one key at each
// tick and does nothing else.
//
// Nothing here needs WebAssembly. docs/admin-api.yaml describes the API for its users.
package admin
