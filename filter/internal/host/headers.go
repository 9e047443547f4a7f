//go:build wasip1

package host

import (
	"encoding/binary"
	"unsafe"
)

// Map names one of a stream's header maps.
type Map int32

// The maps that the filter reads and writes.
const (
	RequestHeaders  Map = 0
	RequestTrailers Map = 1
	ResponseHeaders Map = 2
	CalloutHeaders  Map = 6
)

// Headers appends a map's pairs to dst, in the order in which the proxy has them, duplicates and pseudo-headers
// included: all of them, for who reads a part could be shown one that lacks what is to be removed. The strings point into
// the bytes that the host delivered.
func Headers[H ~struct{ Name, Value string }](m Map, dst []H) []H {
	fetched = fetchedBytes{}
	if proxyGetHeaderMapPairs(int32(m), unsafe.Pointer(&fetched.data), &fetched.size) != 0 {
		return dst
	}
	b := fetched.bytes()
	if len(b) < 4 {
		return dst
	}
	count := int(binary.LittleEndian.Uint32(b))
	if len(b) < 4+8*count {
		return dst
	}
	sizes, data := b[4:4+8*count], b[4+8*count:]
	for i := range count {
		n := int(binary.LittleEndian.Uint32(sizes[8*i:]))
		v := int(binary.LittleEndian.Uint32(sizes[8*i+4:]))
		if n < 0 || v < 0 || n+1+v+1 > len(data) { // each is followed by a NUL byte
			return dst
		}
		dst = append(dst, H(struct{ Name, Value string }{
			unsafe.String(unsafe.SliceData(data), n), unsafe.String(unsafe.SliceData(data[n+1:]), v)}))
		data = data[n+1+v+1:]
	}
	return dst
}

// Header reads the first value of one header.
func Header(m Map, name string) (string, bool) {
	p, n := stringPtr(name)
	fetched = fetchedBytes{}
	if proxyGetHeaderMapValue(int32(m), p, n, unsafe.Pointer(&fetched.data), &fetched.size) != 0 {
		return "", false
	}
	return string(fetched.bytes()), true // "" where there is one without a value
}

// SetHeader replaces all values of a header by one.
func SetHeader(m Map, name, value string) {
	p, n := stringPtr(name)
	v, size := stringPtr(value)
	proxyReplaceHeaderMapValue(int32(m), p, n, v, size)
}

// RemoveHeader removes all values of a header.
func RemoveHeader(m Map, name string) {
	p, n := stringPtr(name)
	proxyRemoveHeaderMapValue(int32(m), p, n)
}

// LocalReply answers in the upstream's place. details becomes Envoy's response_code_details; grpcStatus is -1 for
// none. Only the first reply of a stream counts.
func LocalReply[H ~struct{ Name, Value string }](code int, details string, headers []H, body string, grpcStatus int32) Status {
	d, dn := stringPtr(details)
	b, bn := stringPtr(body)
	h, hn := bytesPtr(appendPairs(nil, headers))
	return Status(proxySendLocalResponse(int32(code), d, dn, b, bn, h, hn, grpcStatus))
}

// appendPairs serialises headers as the ABI wants them: count, sizes, then the bytes, each string with a NUL behind.
func appendPairs[H ~struct{ Name, Value string }](dst []byte, headers []H) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(headers)))
	for _, h := range headers {
		p := struct{ Name, Value string }(h)
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(p.Name)))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(p.Value)))
	}
	for _, h := range headers {
		p := struct{ Name, Value string }(h)
		dst = append(append(dst, p.Name...), 0)
		dst = append(append(dst, p.Value...), 0)
	}
	return dst
}
