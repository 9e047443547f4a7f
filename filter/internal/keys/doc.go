// Package keys fetches JWK Sets through the proxy's clusters. One worker fetches for all: who wins
// a lease in the shared data. All others, the fetcher included, take the set from there. In a VM
// without a vm_id, where other plugins could write the shared data, each VM fetches for itself.
package keys
