//go:build wasip1

package host

import "unsafe"

// NoMatch is a compare-and-set value that no entry has: a set with it creates an absent key and leaves an existing one
// alone. (The host ignores the value on an absent key, so that any other would let two first writers both succeed.)
const NoMatch uint32 = 0xFFFFFFFF

// SharedGet reads shared data, and the value to compare at the next SharedSet. A missing key is NotFound.
func SharedGet(key string) (value []byte, cas uint32, s Status) {
	p, n := stringPtr(key)
	fetched = fetchedBytes{}
	s = Status(proxyGetSharedData(p, n, unsafe.Pointer(&fetched.data), &fetched.size, &fetched.cas))
	return fetched.bytes(), fetched.cas, s
}

// SharedSet writes shared data if its compare-and-set value is still cas: OK, or CasMismatch.
func SharedSet(key string, value []byte, cas uint32) Status {
	p, n := stringPtr(key)
	v, size := bytesPtr(value)
	return Status(proxySetSharedData(p, n, v, size, cas))
}
