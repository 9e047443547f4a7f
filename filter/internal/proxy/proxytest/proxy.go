// Package proxytest is a proxy in memory, for tests of what runs over proxy.Proxy. Any call of it
// can be made to fail.
package proxytest

import (
	"slices"
	"strings"

	"gatehouse/core/clock"
	"gatehouse/filter/internal/proxy"
)

// Proxy implements proxy.Proxy. Its fields may be set and read between calls.
type Proxy struct {
	Wall clock.Wall
	Mono clock.Mono

	Streams map[uint32]*Stream
	Context uint32 // which stream, or the plugin, calls act on
	Shared  map[string]Entry
	VMID    string // the property plugin_vm_id
	Name    string // the property plugin_name
	Metrics map[string]int64
	Foreign map[string]func(arg []byte) ([]byte, error)
	Logs    []Line
	Tick    uint32 // milliseconds
	Pending []*PendingCall
	Ended   int // how often Stopped was called

	// Fault is asked before each call. A status other than proxy.OK fails the call, which then does
	// nothing.
	Fault func(c Invocation) proxy.Status
	// Lost reports whether the context of an id is gone; nil for none.
	Lost func(id uint32) bool
	// Calls are all calls so far.
	Calls []Invocation

	names  []string // of metrics, by id
	answer *Answer  // that is being delivered

	inStream bool     // a stream's callback runs, see Reusing
	given    [][]byte // what calls returned in it
}

// Invocation is one call of the proxy. Subject is its first string or the name of its header map;
// Index counts from 0.
type Invocation struct {
	Name, Subject string
	Index         int
}

// Stream is one request and its response.
type Stream struct {
	Headers     map[proxy.Map][]Header
	Properties  map[proxy.Path][]byte
	FilterState map[proxy.Path]string
	Replies     []proxy.Reply
	Resumed     int
}

// Header is one header field.
type Header struct{ Name, Value string }

// Entry is a value of the shared data.
type Entry struct {
	Value []byte
	CAS   uint32
}

// Line is a line of the log.
type Line struct {
	Level proxy.Level
	Text  string
}

// PendingCall is an HTTP call that waits for End.
type PendingCall struct {
	proxy.Call
	px   *Proxy
	done func(proxy.CallEnd)
}

// Answer is the answer to a call.
type Answer struct {
	Headers []Header
	Body    []byte
}

// New makes a proxy without faults, whose context is the plugin, 1.
func New() *Proxy {
	return &Proxy{
		Wall: 1_800_000_000e9, Mono: 1000e9, Context: 1, VMID: "test", Name: "gate",
		Streams: map[uint32]*Stream{}, Shared: map[string]Entry{}, Metrics: map[string]int64{},
		Foreign: map[string]func([]byte) ([]byte, error){},
	}
}

// Open adds a stream and makes it the one that calls act on.
func (p *Proxy) Open(id uint32, headers ...Header) *Stream {
	s := &Stream{
		Headers:     map[proxy.Map][]Header{proxy.RequestHeaders: headers},
		Properties:  map[proxy.Path][]byte{},
		FilterState: map[proxy.Path]string{},
	}
	p.Streams[id], p.Context = s, id
	return s
}

// End delivers the end of a call. A nil answer is none.
func (c *PendingCall) End(a *Answer) {
	p := c.px
	i := slices.Index(p.Pending, c)
	p.Pending = slices.Delete(p.Pending, i, i+1)
	context := p.Context
	p.Context, p.answer = 1, a
	end := proxy.CallEnd{}
	if a != nil {
		end = proxy.CallEnd{NumHeaders: len(a.Headers), BodySize: len(a.Body)}
	}
	c.done(end)
	p.Context, p.answer = context, nil
}

// call records a call and asks for a fault.
func (p *Proxy) call(name, subject string) error {
	c := Invocation{name, strings.Clone(subject), len(p.Calls)} // callers reuse the memory of strings
	p.Calls = append(p.Calls, c)
	if p.Fault == nil {
		return nil
	}
	return p.Fault(c).Err()
}

// stream is the one that calls act on.
func (p *Proxy) stream() (*Stream, error) {
	if s := p.Streams[p.Context]; s != nil {
		return s, nil
	}
	return nil, proxy.BadArgument
}

// Log implements proxy.Proxy.
func (p *Proxy) Log(level proxy.Level, line []byte) error {
	if err := p.call("Log", ""); err != nil {
		return err
	}
	p.Logs = append(p.Logs, Line{level, string(line)})
	return nil
}

// Now implements proxy.Proxy.
func (p *Proxy) Now() (clock.Wall, error) {
	if err := p.call("Now", ""); err != nil {
		return 0, err
	}
	return p.Wall, nil
}

// Monotonic implements proxy.Proxy.
func (p *Proxy) Monotonic() (clock.Mono, error) {
	if err := p.call("Monotonic", ""); err != nil {
		return 0, err
	}
	return p.Mono, nil
}

// Random implements proxy.Proxy. The bytes are the same each time.
func (p *Proxy) Random(b []byte) error {
	if err := p.call("Random", ""); err != nil {
		return err
	}
	for i := range b {
		b[i] = byte(i + 1)
	}
	return nil
}

// Resume implements proxy.Proxy.
func (p *Proxy) Resume() error {
	if err := p.call("Resume", ""); err != nil {
		return err
	}
	s, err := p.stream()
	if err == nil {
		s.Resumed++
	}
	return err
}

// Reply implements proxy.Proxy.
func (p *Proxy) Reply(r *proxy.Reply) error {
	if err := p.call("Reply", ""); err != nil {
		return err
	}
	s, err := p.stream()
	if err == nil {
		kept := *r
		kept.Details, kept.Headers, kept.Body = strings.Clone(r.Details), slices.Clone(r.Headers), strings.Clone(r.Body)
		s.Replies = append(s.Replies, kept)
	}
	return err
}

// Property implements proxy.Proxy.
func (p *Proxy) Property(path proxy.Path) ([]byte, error) {
	if err := p.call("Property", string(path)); err != nil {
		return nil, err
	}
	switch path {
	case "plugin_vm_id":
		return p.give([]byte(p.VMID)), nil
	case "plugin_name":
		return p.give([]byte(p.Name)), nil
	}
	s, err := p.stream()
	if err != nil {
		return nil, err
	}
	value, ok := s.Properties[path]
	if !ok {
		return nil, proxy.NotFound
	}
	return p.give(slices.Clone(value)), nil
}

// SetProperty implements proxy.Proxy.
func (p *Proxy) SetProperty(path proxy.Path, value []byte) error {
	if err := p.call("SetProperty", string(path)); err != nil {
		return err
	}
	s, err := p.stream()
	if err == nil {
		s.FilterState[path] = string(value)
	}
	return err
}

// SharedGet implements proxy.Proxy.
func (p *Proxy) SharedGet(key string) ([]byte, uint32, error) {
	if err := p.call("SharedGet", key); err != nil {
		return nil, 0, err
	}
	e, ok := p.Shared[key]
	if !ok {
		return nil, 0, proxy.NotFound
	}
	return p.give(slices.Clone(e.Value)), e.CAS, nil
}

// SharedSet implements proxy.Proxy, with Envoy's trap: on an absent key cas counts for nothing.
func (p *Proxy) SharedSet(key string, value []byte, cas uint32) error {
	if err := p.call("SharedSet", key); err != nil {
		return err
	}
	e, ok := p.Shared[key]
	if ok && cas != 0 && cas != e.CAS {
		return proxy.CASMismatch
	}
	p.Shared[strings.Clone(key)] = Entry{slices.Clone(value), e.CAS + 1}
	return nil
}

// DefineMetric implements proxy.Proxy.
func (p *Proxy) DefineMetric(_ proxy.MetricKind, name string) (uint32, error) {
	if err := p.call("DefineMetric", name); err != nil {
		return 0, err
	}
	if i := slices.Index(p.names, name); i >= 0 {
		return uint32(i), nil
	}
	p.names = append(p.names, name)
	p.Metrics[name] = 0
	return uint32(len(p.names) - 1), nil
}

// AddMetric implements proxy.Proxy.
func (p *Proxy) AddMetric(id uint32, delta int64) error {
	if err := p.call("AddMetric", ""); err != nil {
		return err
	}
	p.Metrics[p.names[id]] += delta
	return nil
}

// RecordMetric implements proxy.Proxy. Of a histogram the last value is kept.
func (p *Proxy) RecordMetric(id uint32, value uint64) error {
	if err := p.call("RecordMetric", ""); err != nil {
		return err
	}
	p.Metrics[p.names[id]] = int64(value)
	return nil
}

// Metric implements proxy.Proxy.
func (p *Proxy) Metric(id uint32) (uint64, error) {
	if err := p.call("Metric", ""); err != nil {
		return 0, err
	}
	return uint64(p.Metrics[p.names[id]]), nil
}

// CallForeign implements proxy.Proxy.
func (p *Proxy) CallForeign(name string, arg []byte) ([]byte, error) {
	if err := p.call("CallForeign", name); err != nil {
		return nil, err
	}
	if f := p.Foreign[name]; f != nil {
		result, err := f(arg)
		return p.give(result), err
	}
	return nil, proxy.NotFound
}

// SetTick implements proxy.Proxy.
func (p *Proxy) SetTick(milliseconds uint32) error {
	if err := p.call("SetTick", ""); err != nil {
		return err
	}
	p.Tick = milliseconds
	return nil
}

// Stopped implements proxy.Proxy.
func (p *Proxy) Stopped() error {
	if err := p.call("Stopped", ""); err != nil {
		return err
	}
	p.Ended++
	return nil
}

// SetContext implements proxy.Proxy.
func (p *Proxy) SetContext(id uint32) error {
	if err := p.call("SetContext", ""); err != nil {
		return err
	}
	if p.Lost != nil && p.Lost(id) {
		return proxy.BadArgument
	}
	p.Context = id
	return nil
}

// Call implements proxy.Proxy. The call waits in Pending.
func (p *Proxy) Call(c *proxy.Call, done func(proxy.CallEnd)) error {
	if err := p.call("Call", c.Cluster); err != nil {
		return err
	}
	kept := *c
	kept.Body = slices.Clone(c.Body)
	p.Pending = append(p.Pending, &PendingCall{kept, p, done})
	return nil
}

// CallBody implements proxy.Proxy.
func (p *Proxy) CallBody(size int) ([]byte, error) {
	if err := p.call("CallBody", ""); err != nil {
		return nil, err
	}
	if p.answer == nil {
		return nil, proxy.NotFound
	}
	return slices.Clone(p.answer.Body[:min(size, len(p.answer.Body))]), nil
}
