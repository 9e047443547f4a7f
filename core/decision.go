package core

import (
	"unsafe"

	"gatehouse/core/audit"
	"gatehouse/core/caller"
	"gatehouse/core/clock"
	"gatehouse/core/jwks"
	"gatehouse/core/ratelimit"
	"gatehouse/core/reason"
)

// Verdict says what happens to a request. The zero Verdict denies it.
type Verdict uint8

// The verdicts.
const (
	Deny Verdict = iota
	Admit
	Wait   // for the keys of a provider; Resume follows
	Answer // by the Gate itself, with Status, Response and Body: the metadata of a protected resource
)

// Decision is a Gate's answer to one request, and its state until the stream ends. A Decision can
// be reused: Decide resets it. Its strings are valid until then.
type Decision struct {
	Verdict   Verdict
	Reason    reason.Reason // of a refusal
	WouldBe   reason.Reason // in observe mode: the reason for which enforce mode would refuse
	Route     int           // index in the configuration's routes, -1 for none
	Rule      int           // index of the limit that refused, -1 for none
	Principal *Principal    // nil unless a token was verified
	WaitFor   int           // when Verdict is Wait: the provider
	WaitWhy   reason.Reason // when Verdict is Wait: as in RemoteKeys.RequestFetch

	// Remove names request headers that the upstream must not see. Set are request headers that
	// replace others of the same name. Only an admitted request has them.
	Remove []string
	Set    []Header
	// Response are headers of the reply, if the request is refused or answered, else headers to set
	// in the upstream's response.
	Response []Header
	// Status is that of the answer, when Verdict is Answer. Body is the answer's or the refusal's.
	Status int
	Body   string

	step          int        // of steps: the one that is next, or waits
	resumed       bool       // it has waited, and must not wait again
	exempt        bool       // the route asks this request for no token
	mono          clock.Mono // arrival
	wall          clock.Wall // when it is decided
	failed        int        // the provider of a token that failed, -1 if none was chosen
	tried         *jwks.Set  // the keys that didn't make the token's signature, before a refetch
	refused       holder     // whom a token names that was refused although its signature holds
	grpc          bool       // a gRPC request
	openID        string     // of the event at the admission
	eventID       string     // of the event, which the client is told of a refusal
	origin        string     // of the page that sent the request, if cors lists it
	metadata      bool       // it is answered with the metadata of a protected resource
	metadataParam string     // the challenge parameter that leads to the metadata of the resource (RFC 9728 §5.1)
	lack          lack       // what the caller lacks of the route's requirement
	identified    bool       // a token was looked for and the principal, if any, is known
	excluded      bool       // the path is one of audit.exclude_paths
	event         audit.Event
	extra         []audit.Field
	charges       []charge
	text          []byte // backs strings above
}

// maxText is how many bytes of text a Decision keeps for the next request: few requests need more.
const maxText = 16 << 10

// Reset makes d ready for another request, keeping its memory. Decide begins with it.
func (d *Decision) Reset() {
	if cap(d.text) > maxText {
		*d = Decision{} // strings of the slices below share that text
	}
	*d = Decision{
		Route: -1, Rule: -1, failed: -1,
		Remove: d.Remove[:0], Set: d.Set[:0], Response: d.Response[:0],
		extra: d.extra[:0], charges: d.charges[:0], text: d.text[:0],
	}
}

// nextCharge is one more element of d.charges, reusing memory.
func (d *Decision) nextCharge() *charge {
	if len(d.charges) < cap(d.charges) {
		d.charges = d.charges[:len(d.charges)+1]
	} else {
		d.charges = append(d.charges, charge{})
	}
	c := &d.charges[len(d.charges)-1]
	*c = charge{}
	return c
}

// callerKind is Anonymous without a token.
func (d *Decision) callerKind() caller.Kind {
	if d.Principal == nil {
		return caller.Anonymous
	}
	return d.Principal.Kind
}

// copyText copies s into memory of the decision's own: it must outlive the call that brought it.
//
//go:noinline
func (d *Decision) copyText(s string) string {
	start := len(d.text)
	d.text = append(d.text, s...)
	return d.textFrom(start)
}

// textFrom returns the end of d.text from start on. The string shares the buffer, which only grows
// until Reset: if append moves the buffer, the old bytes stay as they are.
func (d *Decision) textFrom(start int) string {
	b := d.text[start:]
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// LimitResult is what a limit decided about a request.
type LimitResult struct {
	Limit  int // index in the configuration's rate_limits
	Result ratelimit.Result
}

// LimitResults are those of the limits that apply to the request, in their order. On a refusal they
// include limits that were only asked what they would decide.
func (d *Decision) LimitResults() []LimitResult {
	out := make([]LimitResult, len(d.charges))
	for i := range d.charges {
		out[i] = LimitResult{d.charges[i].rule, d.charges[i].result}
	}
	return out
}

// GRPC reports whether the request is gRPC, so that the proxy answers it with a gRPC status.
func (d *Decision) GRPC() bool { return d.grpc }
