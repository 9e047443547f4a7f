package proxy

import (
	"encoding/binary"
	"errors"
	"unsafe"
)

var errPairs = errors.New("header pairs in no form that the ABI has")

// AppendHeaders takes apart what Proxy.Headers returned and appends the pairs to dst in the proxy's
// order, with duplicates and pseudo-headers. It returns all pairs or an error: a caller that saw a
// part could miss a header that must be removed. The strings share the bytes of b.
func AppendHeaders[H ~struct{ Name, Value string }](b []byte, dst []H) ([]H, error) {
	if len(b) == 0 {
		return dst, nil // an empty map may be no bytes at all
	}
	if len(b) < 4 {
		return dst, errPairs
	}
	count := uint64(binary.LittleEndian.Uint32(b))
	if count > uint64(len(b)-4)/8 {
		return dst, errPairs
	}
	start := len(dst)
	sizes, data := b[4:4+8*count], b[4+8*count:]
	for len(sizes) > 0 {
		name := uint64(binary.LittleEndian.Uint32(sizes))
		value := uint64(binary.LittleEndian.Uint32(sizes[4:]))
		sizes = sizes[8:]
		if name+1+value+1 > uint64(len(data)) { // a NUL byte follows each string
			return dst[:start], errPairs
		}
		dst = append(dst, H(struct{ Name, Value string }{Text(data[:name]), Text(data[name+1 : name+1+value])}))
		data = data[name+1+value+1:]
	}
	return dst, nil
}

// Text is a string that shares the bytes of b.
func Text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// AppendPairs writes headers as the ABI wants them: count, sizes, then the strings, each with a NUL
// byte behind it.
func AppendPairs[H ~struct{ Name, Value string }](dst []byte, headers []H) []byte {
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
