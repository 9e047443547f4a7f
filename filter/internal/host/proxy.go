//go:build wasip1

package host

import (
	"errors"
	"unsafe"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"

	"gatehouse/core/clock"
	"gatehouse/filter/internal/proxy"
)

// Proxy implements proxy.Proxy by calls out of the module.
type Proxy struct{}

// fetched is where the proxy leaves what a call returns. One serves all calls: a VM has one thread,
// and a call that returns bytes re-enters the module only to allocate them. As a variable of the
// package it stays off the heap.
var fetched struct {
	data *byte
	size int32
	cas  uint32
	time uint64
}

// clearFetched returns the places for an address and a size, emptied.
func clearFetched() (data unsafe.Pointer, size *int32) {
	fetched.data, fetched.size = nil, 0
	return unsafe.Pointer(&fetched.data), &fetched.size
}

func fetchedBytes() []byte {
	if fetched.data == nil || fetched.size <= 0 {
		return nil
	}
	return unsafe.Slice(fetched.data, fetched.size)
}

func stringPtr(s string) (*byte, int32) { return unsafe.StringData(s), int32(len(s)) }
func bytesPtr(b []byte) (*byte, int32)  { return unsafe.SliceData(b), int32(len(b)) }
func result(status int32) error         { return proxy.Status(status).Err() }

// Log implements proxy.Proxy.
func (Proxy) Log(level proxy.Level, line []byte) error {
	p, n := bytesPtr(line)
	return result(proxyLog(int32(level), p, n))
}

// Now implements proxy.Proxy.
func (Proxy) Now() (clock.Wall, error) {
	err := result(proxyGetCurrentTime(&fetched.time))
	return clock.Wall(fetched.time), err
}

// Monotonic implements proxy.Proxy: WASI's clock 1. WASI's results other than 0 are errors of its
// own numbering.
func (Proxy) Monotonic() (clock.Mono, error) {
	if wasiClockTimeGet(1, 1, &fetched.time) != 0 {
		return 0, proxy.InternalFailure
	}
	return clock.Mono(fetched.time), nil
}

// Random implements proxy.Proxy.
func (Proxy) Random(b []byte) error {
	p, n := bytesPtr(b)
	if wasiRandomGet(p, n) != 0 {
		return proxy.InternalFailure
	}
	return nil
}

// Headers implements proxy.Proxy.
func (Proxy) Headers(m proxy.Map) ([]byte, error) {
	data, size := clearFetched()
	if err := result(proxyGetHeaderMapPairs(int32(m), data, size)); err != nil {
		return nil, err
	}
	return fetchedBytes(), nil
}

// Header implements proxy.Proxy.
func (Proxy) Header(m proxy.Map, name string) (string, error) {
	p, n := stringPtr(name)
	data, size := clearFetched()
	if err := result(proxyGetHeaderMapValue(int32(m), p, n, data, size)); err != nil {
		return "", err
	}
	return string(fetchedBytes()), nil
}

// SetHeader implements proxy.Proxy.
func (Proxy) SetHeader(m proxy.Map, name, value string) error {
	p, n := stringPtr(name)
	v, size := stringPtr(value)
	return result(proxyReplaceHeaderMapValue(int32(m), p, n, v, size))
}

// RemoveHeader implements proxy.Proxy.
func (Proxy) RemoveHeader(m proxy.Map, name string) error {
	p, n := stringPtr(name)
	return result(proxyRemoveHeaderMapValue(int32(m), p, n))
}

// Reply implements proxy.Proxy.
func (Proxy) Reply(r *proxy.Reply) error {
	d, dn := stringPtr(r.Details)
	b, bn := stringPtr(r.Body)
	h, hn := bytesPtr(r.Headers)
	return result(proxySendLocalResponse(int32(r.Status), d, dn, b, bn, h, hn, r.GRPC))
}

// Resume implements proxy.Proxy.
func (Proxy) Resume() error { return status(proxywasm.ResumeHttpRequest()) }

// Property implements proxy.Proxy.
func (Proxy) Property(path proxy.Path) ([]byte, error) {
	p, n := stringPtr(string(path))
	data, size := clearFetched()
	if err := result(proxyGetProperty(p, n, data, size)); err != nil {
		return nil, err
	}
	return fetchedBytes(), nil
}

// SetProperty implements proxy.Proxy.
func (Proxy) SetProperty(path proxy.Path, value []byte) error {
	p, n := stringPtr(string(path))
	v, size := bytesPtr(value)
	return result(proxySetProperty(p, n, v, size))
}

// SharedGet implements proxy.Proxy.
func (Proxy) SharedGet(key string) (value []byte, cas uint32, err error) {
	p, n := stringPtr(key)
	data, size := clearFetched()
	fetched.cas = 0
	if err := result(proxyGetSharedData(p, n, data, size, &fetched.cas)); err != nil {
		return nil, 0, err
	}
	return fetchedBytes(), fetched.cas, nil
}

// SharedSet implements proxy.Proxy.
func (Proxy) SharedSet(key string, value []byte, cas uint32) error {
	p, n := stringPtr(key)
	v, size := bytesPtr(value)
	return result(proxySetSharedData(p, n, v, size, cas))
}

// DefineMetric implements proxy.Proxy.
func (Proxy) DefineMetric(kind proxy.MetricKind, name string) (id uint32, err error) {
	p, n := stringPtr(name)
	err = result(proxyDefineMetric(int32(kind), p, n, &id))
	return id, err
}

// AddMetric implements proxy.Proxy.
func (Proxy) AddMetric(id uint32, delta int64) error { return result(proxyIncrementMetric(id, delta)) }

// RecordMetric implements proxy.Proxy.
func (Proxy) RecordMetric(id uint32, value uint64) error { return result(proxyRecordMetric(id, value)) }

// Metric implements proxy.Proxy.
func (Proxy) Metric(id uint32) (value uint64, err error) {
	err = result(proxyGetMetric(id, &value))
	return value, err
}

// CallForeign implements proxy.Proxy.
func (Proxy) CallForeign(name string, arg []byte) ([]byte, error) {
	p, n := stringPtr(name)
	a, size := bytesPtr(arg)
	out, outSize := clearFetched()
	if err := result(proxyCallForeignFunction(p, n, a, size, out, outSize)); err != nil {
		return nil, err
	}
	return fetchedBytes(), nil
}

// SetTick implements proxy.Proxy.
func (Proxy) SetTick(milliseconds uint32) error {
	return status(proxywasm.SetTickPeriodMilliSeconds(milliseconds))
}

// Stopped implements proxy.Proxy.
func (Proxy) Stopped() error {
	proxywasm.PluginDone()
	return nil
}

// SetContext implements proxy.Proxy.
func (Proxy) SetContext(id uint32) error { return status(proxywasm.SetEffectiveContext(id)) }

// Call implements proxy.Proxy.
func (Proxy) Call(c *proxy.Call, done func(proxy.CallEnd)) error {
	_, err := proxywasm.DispatchHttpCall(c.Cluster, c.Headers, c.Body, nil, c.TimeoutMilliseconds, func(numHeaders, bodySize, _ int) {
		done(proxy.CallEnd{NumHeaders: numHeaders, BodySize: bodySize})
	})
	return status(err)
}

// CallBody implements proxy.Proxy.
func (Proxy) CallBody(size int) ([]byte, error) {
	body, err := proxywasm.GetHttpCallResponseBody(0, size)
	return body, status(err)
}

// status turns an error of the SDK's back into the status that it stands for.
func status(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, types.ErrorStatusNotFound):
		return proxy.NotFound
	case errors.Is(err, types.ErrorStatusBadArgument):
		return proxy.BadArgument
	case errors.Is(err, types.ErrorStatusCasMismatch):
		return proxy.CASMismatch
	}
	return proxy.InternalFailure
}
