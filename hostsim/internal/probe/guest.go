//go:build wasip1

package main

import (
	"encoding/binary"
	"strconv"
	"strings"
	"unsafe"
)

// arena keeps what the host had allocated alive until the next callback.
var arena [][]byte

//go:wasmexport proxy_on_memory_allocate
func onMemoryAllocate(size uint32) ptr {
	b := make([]byte, size)
	arena = append(arena, b)
	return ptr(unsafe.SliceData(b))
}

//go:wasmexport proxy_abi_version_0_2_1
func abiVersion() {}

func str(s string) (ptr, uint32) { return ptr(unsafe.StringData(s)), uint32(len(s)) }

// result is where the host stores an address and a size.
type result struct{ addr, size uint32 }

func (r *result) at() (ptr, ptr) { return ptr(&r.addr), ptr(&r.size) }

func (r *result) bytes() []byte {
	if r.size == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Add(nil, r.addr)), r.size)
}

// say logs a line made of words; it is what host and host are compared by.
func say(words ...any) {
	var b []byte
	b = append(b, "probe: "...)
	for i, w := range words {
		if i > 0 {
			b = append(b, ' ')
		}
		switch w := w.(type) {
		case string:
			b = append(b, w...)
		case []byte:
			b = strconv.AppendQuote(b, string(w))
		case int:
			b = strconv.AppendInt(b, int64(w), 10)
		case uint32:
			b = strconv.AppendUint(b, uint64(w), 10)
		case uint64:
			b = strconv.AppendUint(b, w, 10)
		case bool:
			b = strconv.AppendBool(b, w)
		default:
			panic("say: unknown type")
		}
	}
	p, n := str(string(b))
	proxyLog(2, p, n)
}

func packPairs(namesAndValues ...string) string {
	if len(namesAndValues) == 0 {
		return ""
	}
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(namesAndValues)/2))
	for _, s := range namesAndValues {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
	}
	for _, s := range namesAndValues {
		b = append(append(b, s...), 0)
	}
	return string(b)
}

// showPairs writes a serialised map as name=value, without what differs from run
// to run.
func showPairs(b []byte) string {
	if len(b) < 4 {
		return "none"
	}
	n := int(binary.LittleEndian.Uint32(b))
	sizes, rest := b[4:4+8*n], b[4+8*n:]
	take := func(i int) string {
		size := binary.LittleEndian.Uint32(sizes[4*i:])
		s := string(rest[:size])
		rest = rest[size+1:]
		return s
	}
	var words []string
	for i := range n {
		name, value := take(2*i), take(2*i+1)
		switch name {
		case "x-request-id", ":authority", "date", "user-agent", "x-envoy-upstream-service-time":
			value = "*"
		}
		words = append(words, name+"="+strconv.Quote(value))
	}
	return strings.Join(words, " ")
}

func getPairs(m uint32) (string, uint32) {
	var r result
	p, n := r.at()
	status := proxyGetHeaderMapPairs(m, p, n)
	return showPairs(r.bytes()), status
}

func getHeader(m uint32, name string) (string, uint32) {
	var r result
	p, n := r.at()
	k, kn := str(name)
	status := proxyGetHeaderMapValue(m, k, kn, p, n)
	return string(r.bytes()), status
}

func addHeader(m uint32, name, value string) uint32 {
	k, kn := str(name)
	v, vn := str(value)
	return proxyAddHeaderMapValue(m, k, kn, v, vn)
}

func replaceHeader(m uint32, name, value string) uint32 {
	k, kn := str(name)
	v, vn := str(value)
	return proxyReplaceHeaderMapValue(m, k, kn, v, vn)
}

func removeHeader(m uint32, name string) uint32 {
	k, kn := str(name)
	return proxyRemoveHeaderMapValue(m, k, kn)
}

func setPairs(m uint32, packed string) uint32 {
	p, n := str(packed)
	return proxySetHeaderMapPairs(m, p, n)
}

func mapSize(m uint32) (uint32, uint32) {
	var size uint32
	status := proxyGetHeaderMapSize(m, ptr(&size))
	return size, status
}

func getBuffer(buffer, start, length uint32) ([]byte, uint32) {
	var r result
	p, n := r.at()
	status := proxyGetBufferBytes(buffer, start, length, p, n)
	return append([]byte(nil), r.bytes()...), status
}

func setBuffer(buffer, start, length uint32, value string) uint32 {
	v, vn := str(value)
	return proxySetBufferBytes(buffer, start, length, v, vn)
}

func bufferSize(buffer uint32) (uint32, uint32) {
	var size, flags uint32
	status := proxyGetBufferStatus(buffer, ptr(&size), ptr(&flags))
	return size, status
}

func getProperty(path ...string) ([]byte, uint32) {
	var r result
	p, n := r.at()
	k, kn := str(strings.Join(path, "\x00"))
	status := proxyGetProperty(k, kn, p, n)
	return append([]byte(nil), r.bytes()...), status
}

func setProperty(name, value string) uint32 {
	k, kn := str(name)
	v, vn := str(value)
	return proxySetProperty(k, kn, v, vn)
}

func localResponse(status int, details, body, headers string, grpcStatus uint32) uint32 {
	d, dn := str(details)
	b, bn := str(body)
	h, hn := str(headers)
	return proxySendLocalResponse(uint32(status), d, dn, b, bn, h, hn, grpcStatus)
}

func getShared(key string) (string, uint32, uint32) {
	var r result
	var cas uint32
	p, n := r.at()
	k, kn := str(key)
	status := proxyGetSharedData(k, kn, p, n, ptr(&cas))
	return string(r.bytes()), cas, status
}

func setShared(key, value string, cas uint32) uint32 {
	k, kn := str(key)
	v, vn := str(value)
	return proxySetSharedData(k, kn, v, vn, cas)
}

func defineMetric(kind uint32, name string) (uint32, uint32) {
	var id uint32
	k, kn := str(name)
	status := proxyDefineMetric(kind, k, kn, ptr(&id))
	return id, status
}

func getMetric(id uint32) (uint64, uint32) {
	var value uint64
	status := proxyGetMetric(id, ptr(&value))
	return value, status
}

func httpCall(cluster, headers, body, trailers string, timeout uint32) (uint32, uint32) {
	var token uint32
	c, cn := str(cluster)
	h, hn := str(headers)
	b, bn := str(body)
	t, tn := str(trailers)
	status := proxyHTTPCall(c, cn, h, hn, b, bn, t, tn, timeout, ptr(&token))
	return token, status
}

func grpcCall(upstream, service, method, metadata, msg string, timeout uint32) (uint32, uint32) {
	var token uint32
	u, un := str(upstream)
	s, sn := str(service)
	m, mn := str(method)
	md, mdn := str(metadata)
	b, bn := str(msg)
	status := proxyGRPCCall(u, un, s, sn, m, mn, md, mdn, b, bn, timeout, ptr(&token))
	return token, status
}

func grpcStream(upstream, service, method, metadata string) (uint32, uint32) {
	var token uint32
	u, un := str(upstream)
	s, sn := str(service)
	m, mn := str(method)
	md, mdn := str(metadata)
	status := proxyGRPCStream(u, un, s, sn, m, mn, md, mdn, ptr(&token))
	return token, status
}

func grpcSend(token uint32, msg string, end bool) uint32 {
	m, mn := str(msg)
	var e uint32
	if end {
		e = 1
	}
	return proxyGRPCSend(token, m, mn, e)
}

func callForeign(name, args string) ([]byte, uint32) {
	var r result
	p, n := r.at()
	k, kn := str(name)
	a, an := str(args)
	status := proxyCallForeignFunction(k, kn, a, an, p, n)
	return append([]byte(nil), r.bytes()...), status
}

func getStatus() (uint32, string, uint32) {
	var r result
	var code uint32
	p, n := r.at()
	status := proxyGetStatus(ptr(&code), p, n)
	return code, string(r.bytes()), status
}
