package hostcall

import (
	"strings"
	"unicode"

	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/internal/stream"
	"gatehouse/hostsim/internal/vm"
)

// proxyContinueStream lets a paused message go on once the callback has returned. As in Envoy the
// request's maps and body are out of sight at once, whichever direction goes on.
func proxyContinueStream(v *vm.VM, c *vm.Context, args []uint64) abi.Status {
	switch t := abi.StreamType(args[0]); t {
	case abi.StreamRequest, abi.StreamResponse:
		if s := c.Stream; s != nil {
			resume := s.ResumeRequest
			if t == abi.StreamResponse {
				resume = s.ResumeResponse
			}
			v.AfterCall(resume)
			s.HideRequest()
		}
		return abi.OK
	case abi.StreamDownstream: // a TCP stream: there are none here
		return abi.OK
	case abi.StreamUpstream:
		return abi.Unimplemented
	}
	return abi.BadArgument
}

func proxyContinueRequest(v *vm.VM, c *vm.Context, _ []uint64) abi.Status {
	return proxyContinueStream(v, c, []uint64{uint64(abi.StreamRequest)})
}

func proxyContinueResponse(v *vm.VM, c *vm.Context, _ []uint64) abi.Status {
	return proxyContinueStream(v, c, []uint64{uint64(abi.StreamResponse)})
}

// proxyClearRouteCache has nothing to do: the host has one route.
func proxyClearRouteCache(*vm.VM, *vm.Context, []uint64) abi.Status { return abi.OK }

func proxyCloseStream(v *vm.VM, c *vm.Context, args []uint64) abi.Status {
	t := abi.StreamType(args[0])
	if t >= abi.StreamTypes {
		return abi.BadArgument
	}
	if s := c.Stream; s != nil && (t == abi.StreamRequest || t == abi.StreamResponse) {
		s.PrepareClose()
		v.AfterCall(s.Close)
	}
	return abi.OK
}

// noSpace makes response code details one word, for the sake of access logs.
func noSpace(r rune) rune {
	if unicode.IsSpace(r) {
		return '_'
	}
	return r
}

// proxySendLocalResponse answers the request in place of the upstream. The
// answer leaves after the callback, which is over for the stream: its action is
// a pause.
func proxySendLocalResponse(v *vm.VM, c *vm.Context, args []uint64) abi.Status {
	details, ok1 := v.Bytes(args, 1)
	body, ok2 := v.Bytes(args, 3)
	headers, ok3 := v.Pairs(args, 5)
	if !ok1 || !ok2 || !ok3 {
		return abi.InvalidMemoryAccess
	}
	reply := stream.LocalReply{
		Status:     int(uint32(args[0])),
		Details:    strings.Map(noSpace, string(details)),
		Body:       append([]byte(nil), body...),
		Headers:    headers,
		GRPCStatus: stream.GRPCStatusOf(uint32(args[7])),
	}
	if s := c.Stream; s != nil {
		v.AfterCall(func() { s.LocalReply(reply) })
	}
	v.StopIteration()
	return abi.OK
}
