package abifuzz

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/core"
	"gatehouse/core/clock"
	"gatehouse/hostsim"
	"gatehouse/hostsim/abi"
)

// open is a stream that a sequence drives.
type open struct {
	stream  *hostsim.Stream
	req     hostsim.Request
	begun   bool // the headers have arrived, or another filter has refused
	judged  *core.Decision
	settled bool // the gate has heard of the end
}

// sequence is one run of random events.
type sequence struct {
	*fixture
	in      *input
	streams [4]*open
	// withFaults says that host calls may fail, withMetadata that there are claims of another
	// filter.
	withFaults, withMetadata bool
}

// run drives the host as data say, and returns what is wrong.
func (f *fixture) run(data []byte, withFaults, withMetadata bool) error {
	s := &sequence{fixture: f, in: &input{data}, withFaults: withFaults, withMetadata: withMetadata}
	// Nothing of the sequence before may count.
	f.clock.Advance(window)
	var err error
	for !s.in.done() && err == nil {
		err = s.event()
	}
	f.mu.Lock()
	f.fault = nil
	f.mu.Unlock()
	for _, o := range s.streams {
		if o != nil {
			o.stream.Reset("downstream_remote_disconnect")
		}
	}
	if err == nil {
		err = s.settle()
	}
	switch {
	case err != nil:
		return err
	case f.host.Failed(0, "gate") || f.host.Failed(hostsim.MainThread, "gate"):
		return fmt.Errorf("a VM has failed: %q", f.errors)
	case len(f.errors) > 0:
		return fmt.Errorf("errors were logged: %q", f.errors)
	}
	return nil
}

// event does one thing to one stream, or to the host.
func (s *sequence) event() error {
	in := s.in
	op := in.below(16)
	slot := &s.streams[in.below(len(s.streams))]
	if op < 3 || *slot == nil {
		if *slot != nil {
			(*slot).stream.Reset("downstream_remote_disconnect")
			if err := s.settle(); err != nil {
				return err
			}
		}
		o := &open{req: s.request(in)}
		if s.withMetadata && in.bool() {
			o.req.Metadata = in.metadata()
		}
		o.stream = s.host.Stream(0, o.req)
		*slot = o
		if op == 0 {
			return nil
		}
		return s.headers(o)
	}
	o := *slot
	switch op {
	case 3, 4:
		return s.headers(o)
	case 5:
		o.stream.RequestBody([]byte(in.text()), in.bool())
	case 6:
		o.stream.RequestTrailers(s.fields(in))
	case 7, 8:
		o.stream.ResponseHeaders(append([]hostsim.Header{{Name: ":status", Value: one(in, statuses)}}, s.fields(in)...), in.bool())
	case 9:
		o.stream.ResponseBody([]byte(in.text()), in.bool())
	case 10:
		o.stream.ResponseTrailers(s.fields(in))
	case 11:
		o.stream.LocalReply(hostsim.LocalReply{Status: 400 + in.below(200), Details: in.text(), Body: []byte(in.text()), Headers: s.fields(in), GRPCStatus: hostsim.GRPCUnset})
	case 12:
		o.stream.Reset(in.text())
	case 13:
		if !o.begun {
			o.begun = true
			o.stream.RefuseBefore(hostsim.LocalReply{Status: 401, Details: "jwt_authn_access_denied{Jwt_is_expired}", GRPCStatus: hostsim.GRPCUnset})
		}
	case 14:
		s.clock.Advance(time.Duration(in.below(40)) * 100 * time.Millisecond)
	case 15:
		s.breakCall()
	}
	return s.settle()
}

// breakCall makes one of the next host calls fail.
func (s *sequence) breakCall() {
	after, status := s.in.below(40), one(s.in, []abi.Status{abi.NotFound, abi.BadArgument, abi.InternalFailure, abi.CasMismatch, abi.Unimplemented, abi.Empty})
	if !s.withFaults {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = func(call hostsim.HostCall) hostsim.Fault {
		after--
		if after >= 0 || after < -3 || call.Name == "proxy_log" {
			return hostsim.Fault{}
		}
		return hostsim.Fault{Status: status}
	}
}

// headers lets a request arrive and compares the verdict.
func (s *sequence) headers(o *open) error {
	if o.begun || o.stream.State().Over {
		return nil
	}
	o.begun = true
	wall, mono := clock.Wall(s.clock.Now().UnixNano()), clock.Mono(s.clock.Monotonic())
	o.stream.RequestHeaders(s.in.bool())
	if o.req.Metadata != nil {
		return s.settle() // only the filter itself can read the metadata
	}
	req := &core.Request{Method: o.req.Method, Path: o.req.Path, Host: o.req.Authority, Source: o.req.SourceAddress, Wall: wall, Mono: mono}
	if s.withMetadata {
		req.External = func(int) core.ExternalClaims { return core.ExternalClaims{} }
	}
	for _, h := range [][2]string{{":authority", o.req.Authority}, {":path", o.req.Path}, {":method", o.req.Method}, {":scheme", o.req.Scheme}} {
		req.Headers = append(req.Headers, core.Header{Name: h[0], Value: h[1]})
	}
	for _, h := range o.req.Headers {
		req.Headers = append(req.Headers, core.Header{Name: strings.ToLower(h.Name), Value: h.Value})
	}
	gate := s.gate
	if s.withFaults || s.withMetadata {
		gate = s.verdicts
	}
	d := &core.Decision{}
	gate.Decide(req, d)
	o.judged = d
	if word := d.Reason.String(); d.Verdict == core.Admit {
		s.counts["admitted"]++
	} else {
		s.counts[word]++
	}
	if err := s.compare(o, req, d); err != nil {
		return fmt.Errorf("%+v: %w", o.req, err)
	}
	return s.settle()
}

// compare holds the filter's verdict against core's.
func (s *sequence) compare(o *open, req *core.Request, d *core.Decision) error {
	state := o.stream.State()
	sent := o.stream.Upstream()
	want := "gatehouse_" + d.Reason.String()
	exact := !s.withFaults && !s.withMetadata
	switch {
	case sent.Headers != nil && d.Verdict != core.Admit:
		return fmt.Errorf("the filter admits what core refuses with %s", want)
	case sent.Headers == nil && !state.Replied && s.faulty:
		return nil // even the reply may fail: such a request is held for good
	case sent.Headers == nil && !state.Replied && !state.Over: // over: a response has begun already
		return fmt.Errorf("neither admitted nor refused: %+v", state)
	case sent.Headers == nil && d.Verdict == core.Admit && exact:
		return fmt.Errorf("the filter refuses with %q what core admits", state.Details)
	case sent.Headers == nil && d.Verdict != core.Admit && exact && state.Details != want:
		return fmt.Errorf("the filter refuses with %q, core with %q", state.Details, want)
	case sent.Headers == nil || s.faulty && !exact:
		return nil
	}
	if got, want := headerLines(sent.Headers.All()), headerLines(applied(req, d)); !slices.Equal(got, want) {
		return fmt.Errorf("the upstream gets %q, core wants %q", got, want)
	}
	return nil
}

// applied are the request's headers after the decision.
func applied(req *core.Request, d *core.Decision) (list []hostsim.Header) {
	for _, h := range req.Headers {
		if !slices.Contains(d.Remove, h.Name) && !slices.ContainsFunc(d.Set, func(set core.Header) bool { return set.Name == h.Name }) {
			list = append(list, hostsim.Header(h))
		}
	}
	for _, h := range d.Set {
		list = append(list, hostsim.Header(h))
	}
	return list
}

func headerLines(list []hostsim.Header) (lines []string) {
	for _, h := range list {
		lines = append(lines, h.Name+": "+h.Value)
	}
	slices.Sort(lines)
	return lines
}

// settle tells the gate of streams that have ended, as the filter was told.
func (s *sequence) settle() error {
	for _, o := range s.streams {
		if o == nil || o.settled || o.judged == nil {
			continue
		}
		state := o.stream.State()
		if !state.Over {
			continue
		}
		o.settled = true
		s.gate.Finish(o.judged, core.Outcome{Status: state.Code, Details: state.Details, Mono: clock.Mono(s.clock.Monotonic())}, func([]byte) {})
	}
	return nil
}
