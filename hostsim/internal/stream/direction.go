package stream

import (
	"slices"

	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/internal/fields"
)

// direction is a stream's request or its response on its way past the filter.
type direction struct {
	side
	half
	stream  *Stream
	visible visible
}

// side is what differs between requests and responses.
type side interface {
	// filtered reports whether the filter takes part.
	filtered() bool
	// closed reports whether nothing more may pass.
	closed() bool
	// show runs f, which shows parts of the message to the filter.
	show(f func())
	// headersPart is the Part of the headers; body and trailers are the next two.
	headersPart() Part
	// tooLarge is the answer to a body that goes over the buffer limit.
	tooLarge() LocalReply
	// forwardHeaders, forwardData and forwardTrailers take what has passed the filter.
	forwardHeaders(endStream bool)
	forwardData(data []byte, endStream bool)
	forwardTrailers()
}

// half is how far a message has come.
type half struct {
	headers, trailers *Headers
	state             halfState
	// started is set when the headers arrive, sent when they pass the filter,
	// complete when the last of the message arrives, ended when that passes.
	started, sent, complete, ended bool
	// buffered is what the host keeps while the filter pauses. With buffering
	// the filter reads it too, with the next piece.
	buffered  []byte
	buffering bool
}

type halfState int

const (
	// flowing: nothing is paused.
	flowing halfState = iota
	// pausedAtHeaders: the filter paused on the headers and sees nothing of what
	// follows until it continues.
	pausedAtHeaders
	// pausedAtBody: the filter paused on a piece of the body or on the trailers
	// and still sees what follows.
	pausedAtBody
)

// visible is what a filter may read and change at the moment, nil where there
// is nothing. The rules are Envoy's: a map stays visible while the filter
// pauses on it and is gone once the filter lets it pass.
type visible struct {
	headers, trailers *Headers
	body              *[]byte
}

// expectsMore reports whether body or trailers may still arrive.
func (d *direction) expectsMore() bool {
	return !d.stream.answered() && d.started && !d.complete
}

// bodyArrives takes a piece of the body.
func (d *direction) bodyArrives(data []byte, endStream bool) {
	d.complete = endStream
	if d.state == pausedAtHeaders {
		d.buffered = append(d.buffered, data...)
		return
	}
	d.show(func() { d.showData(data, endStream) })
}

// trailersArrive takes the trailers, which end the message.
func (d *direction) trailersArrive(trailers []fields.Header) {
	d.complete = true
	d.trailers = fields.New(trailers, nil)
	if d.state != pausedAtHeaders {
		d.show(d.showTrailers)
	}
}

// showHeaders shows the headers to the filter and passes them on if it
// continues.
func (d *direction) showHeaders(endStream bool) {
	d.started, d.complete = true, endStream
	if d.filtered() {
		d.visible.headers, d.stream.endOfStream = d.headers, endStream
		if p := d.headersPart(); d.stream.Filter.Sees(p) {
			action, ok := d.stream.show(p, d.headers.Len(), endStream)
			if !ok {
				return
			}
			if pausesHeaders(action) {
				d.pause(pausedAtHeaders)
				return
			}
		}
		d.visible.headers = nil
	}
	d.forwardHeaders(endStream)
}

// pausesHeaders reports whether a headers callback's result is a pause. Envoy
// reads 2 (continue and end the stream) as a plain continue.
func pausesHeaders(a abi.Action) bool { return a != abi.ActionContinue && a != 2 }

// pause notes that the filter paused. A request that is answered needs no
// pause, and a message that is paused at its headers stays so.
func (d *direction) pause(state halfState) {
	if !d.closed() && d.state == flowing {
		d.state = state
	}
}

// showData shows a piece of the body to the filter and passes on what it lets
// go.
func (d *direction) showData(data []byte, endStream bool) {
	if !d.filtered() || !d.stream.Filter.Sees(d.headersPart()+1) {
		d.passData(data, endStream)
		return
	}
	s := d.stream
	piece := data // the filter may look at it later: a pause makes it a copy
	d.visible.body, s.endOfStream = &piece, endStream
	if d.buffering {
		if d.overflows(data) {
			s.LocalReply(d.tooLarge())
			return
		}
		d.buffered = append(d.buffered, data...)
		piece = nil
		d.visible.body = &d.buffered
	}
	action, ok := s.show(d.headersPart()+1, len(*d.visible.body), endStream)
	if !ok {
		return
	}
	d.buffering = false
	switch action {
	case abi.ActionContinue:
		d.visible.body = nil
		d.passData(piece, endStream)
	case abi.ActionPause, abi.ActionPauseWatermark:
		if action == abi.ActionPause && d.overflows(piece) {
			s.LocalReply(d.tooLarge())
			return
		}
		d.buffering = action == abi.ActionPause
		d.buffered = append(d.buffered, piece...)
		if d.buffering {
			d.visible.body = &d.buffered
		}
		piece = slices.Clone(piece)
		d.pause(pausedAtBody)
	default: // the filter keeps the piece to itself
		piece = slices.Clone(piece)
		d.pause(pausedAtBody)
	}
}

// overflows reports whether more bytes would go over the buffer limit.
func (d *direction) overflows(more []byte) bool {
	return len(d.buffered)+len(more) > d.stream.BufferLimit
}

// passData passes on what was kept and then data. The trailers that a filter
// added with the last piece follow.
func (d *direction) passData(data []byte, endStream bool) {
	if d.state == pausedAtBody {
		d.state = flowing
	}
	if len(d.buffered) > 0 {
		data = append(d.buffered, data...)
		d.buffered = nil
	}
	added := endStream && d.trailers != nil
	d.forwardData(data, endStream && !added)
	if added {
		d.forwardTrailers()
	}
}

// addTrailers gives the filter trailers to fill, with the last of a body.
func (d *direction) addTrailers() {
	if d.visible.trailers == nil && d.visible.body != nil && d.stream.endOfStream {
		d.trailers = &Headers{}
		d.visible.trailers = d.trailers
	}
}

// showTrailers shows the trailers to the filter; when it continues, all that
// was paused goes with them.
func (d *direction) showTrailers() {
	if d.filtered() && d.stream.Filter.Sees(d.headersPart()+2) {
		d.visible.trailers = d.trailers
		action, ok := d.stream.show(d.headersPart()+2, d.trailers.Len(), false)
		if !ok {
			return
		}
		if action != abi.ActionContinue {
			d.pause(pausedAtBody)
			return
		}
		d.visible.trailers = nil
	}
	d.state = flowing
	if len(d.buffered) > 0 {
		data := d.buffered
		d.buffered = nil
		d.forwardData(data, false)
	}
	d.forwardTrailers()
}

// resume lets a paused message go on. After a pause on the headers the filter
// gets to see what arrived since; after one on the body it does not.
func (d *direction) resume() {
	if d.closed() || d.state == flowing {
		return
	}
	atHeaders, data := d.state == pausedAtHeaders, d.buffered
	d.state, d.buffered = flowing, nil
	endAtData := d.complete && d.trailers == nil
	if atHeaders {
		d.forwardHeaders(endAtData && len(data) == 0)
		d.show(func() {
			if len(data) > 0 {
				d.showData(data, endAtData)
			}
			if d.complete && d.trailers != nil && d.stream.wanted() {
				d.showTrailers()
			}
		})
		return
	}
	d.buffering = false
	if len(data) > 0 || endAtData && !d.ended {
		d.forwardData(data, endAtData)
	}
	if d.complete && d.trailers != nil {
		d.forwardTrailers()
	}
}
