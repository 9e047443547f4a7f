// Package sink delivers audit events to an HTTP receiver (audit.http): newline-delimited JSON, in
// order, at least once. A request only appends to a queue in memory; batches leave in the plugin's
// own callbacks, one at a time.
//
// A batch counts as delivered when the receiver answers 2xx. Until then it is sent again, with the
// same bytes, after a back-off: a receiver tells repeats by event_id. If the queue is full, events
// are lost until half of it is free; the owner is given each lost line, and is then asked to write
// audit_gap events before any other event enters the queue.
package sink

import (
	"bytes"
	"slices"
	"strconv"

	"gatehouse/core/clock"
	"gatehouse/core/config"
	"gatehouse/filter/internal/proxy"
)

// A batch that failed is sent again after a second, then after twice as long each time, up to
// maxBackoff; up to half of the time is left to chance, so that workers don't send all at once.
const maxBackoff = 30 * clock.Second

// Owner makes events of what the sink lost.
type Owner interface {
	// Lost is given a line that found no room.
	Lost(line []byte)
	// WriteGaps writes an audit_gap event for the lines lost, through Append among others.
	WriteGaps()
}

// Sink is the queue of one plugin instance, and its receiver.
type Sink struct {
	proxy    proxy.Proxy
	owner    Owner
	cfg      *config.AuditHTTP
	headers  [][2]string
	queue    queue
	batch    int            // events that a batch may have now: fewer after 413
	sending  int            // events of the batch that is under way; 0 for none
	lastSent clock.Mono     // of the last batch
	retryAt  clock.Mono     // 0 if the last batch was taken
	failures uint32         // of batches, in a row
	full     bool           // events are lost until half of the queue is free
	telling  bool           // what comes now tells of lost events, and finds room
	next     func() *Sink   // once the proxy waits for the end: the sink that takes over, nil for none
	stopped  func(lost int) // set once the proxy waits for the end
	reported int            // the queue's length that Growth last told
	random   uint64
}

// New makes a sink. seed makes its back-off differ from other workers'.
func New(px proxy.Proxy, cfg *config.AuditHTTP, owner Owner, seed uint64) *Sink {
	s := &Sink{
		proxy: px, owner: owner, cfg: cfg, batch: cfg.BatchEvents, random: seed | 1, queue: queue{maxEvents: cfg.QueueEvents},
		headers: [][2]string{
			{":method", "POST"}, {":path", cfg.Path}, {":authority", cfg.Authority}, {":scheme", "http"},
			{"content-type", "application/x-ndjson"}, {"user-agent", "gatehouse"},
		},
	}
	for _, h := range cfg.Headers {
		s.headers = append(s.headers, [2]string{h.Name, h.Value})
	}
	return s
}

// Append puts a line, without its newline, into the queue, or gives it to the owner as lost.
func (s *Sink) Append(line []byte) {
	if s.telling || !s.full && s.queue.fits(line, 0, 0) {
		s.queue.force(queued{text: bytes.Clone(line)})
		return
	}
	s.full = true
	s.owner.Lost(line)
}

// Growth is by how much the queue grew since the last call.
func (s *Sink) Growth() int {
	n := s.queue.len()
	grown := n - s.reported
	s.reported = n
	return grown
}

// Tick sends what is due: a full batch, or what has waited flush_seconds.
func (s *Sink) Tick(now clock.Mono) {
	switch {
	case s.sending > 0, now < s.retryAt:
	case s.retryAt != 0, s.queue.len() >= s.batch, now.Since(s.lastSent) >= s.cfg.FlushSeconds*clock.Second:
		s.send(now)
	}
}

// Stop ends the sink. If next returns another sink, that one takes over: see handOver. Otherwise
// Stop sends what is left: each batch gets one attempt, and the first one that fails is the end. If
// done, nothing is under way, and lost events are left that nobody took; else stopped is called at
// the end with their number.
func (s *Sink) Stop(now clock.Mono, next func() *Sink, stopped func(lost int)) (lost int, done bool) {
	if s.sending == 0 {
		if lost, ok := s.handOver(next()); ok {
			return lost, true
		}
		s.tell()
		s.send(now)
	}
	if s.sending == 0 {
		return s.abandon(), true
	}
	s.next, s.stopped = next, stopped
	return 0, false
}

// handOver gives the queue to the sink of the instance that an update has put in this one's place,
// and reports whether there is such a sink. Lines that find no room there go to the owner, which
// tells the loss in the stream of events that they belong to. What it tells finds room beside a
// full queue, and so do lines that are owed. The heir owes all of them, so that a line is never
// called lost in another stream than its own. lost is how many lines found no room even so: nobody
// tells of them. That takes many updates while the receiver fails.
func (s *Sink) handOver(heir *Sink) (lost int, ok bool) {
	if heir == nil {
		return 0, false
	}
	lines, full := s.queue.take(), heir.full
	events, size := owed(lines) // still to come
	for _, line := range lines {
		switch {
		case line.owed:
			events, size = events-1, size-len(line.text)
			lost += heir.queue.inherit(line)
		case !full && heir.queue.fits(line.text, events, size):
			lost += heir.queue.inherit(line)
		default:
			full = true // so that what is lost has no holes
			s.owner.Lost(line.text)
		}
	}
	s.tell()
	for _, line := range s.queue.take() {
		lost += heir.queue.inherit(line)
	}
	return lost, true
}

// tell has the owner say what was lost.
func (s *Sink) tell() {
	s.full, s.telling = false, true
	s.owner.WriteGaps()
	s.telling = false
}

// Delivers reports whether the sink delivers to where a configuration says.
func (s *Sink) Delivers(cfg *config.AuditHTTP) bool {
	return s.cfg.Cluster == cfg.Cluster && s.cfg.Authority == cfg.Authority && s.cfg.Path == cfg.Path && slices.Equal(s.cfg.Headers, cfg.Headers)
}

// abandon empties the queue and reports how many events it had.
func (s *Sink) abandon() int {
	left := s.queue.len()
	s.queue.pop(left)
	return left
}

// send sends the oldest lines.
func (s *Sink) send(now clock.Mono) {
	body, events := s.queue.batch(s.batch)
	if events == 0 {
		s.lastSent = now
		return
	}
	s.sending, s.lastSent = events, now
	err := s.proxy.Call(&proxy.Call{
		Cluster: s.cfg.Cluster, Headers: s.headers, Body: body, TimeoutMilliseconds: uint32(s.cfg.TimeoutSeconds) * 1000,
	}, s.answered)
	if err != nil {
		s.fail(now, proxy.Unsent(err))
	}
}

// answered takes the receiver's answer.
func (s *Sink) answered(end proxy.CallEnd) {
	defer proxy.Survive(s.proxy, "an audit receiver's answer")
	now, err := s.proxy.Monotonic()
	if err != nil {
		now = s.lastSent
	}
	switch status := s.status(end); {
	case status >= 200 && status < 300:
		s.delivered(now)
	case status == 0:
		s.fail(now, "no answer")
	default:
		if status == 413 {
			s.batch = max(1, s.sending/2) // Content Too Large (RFC 9110 §15.5.14)
		}
		s.fail(now, "status "+strconv.Itoa(status))
	}
	s.end()
}

// end goes on with the end that the proxy waits for, when a batch has been answered.
func (s *Sink) end() {
	if s.stopped == nil || s.sending > 0 {
		return
	}
	lost, _ := s.handOver(s.next())
	s.stopped(lost + s.abandon())
}

// status is the answer's; 0 for none.
func (s *Sink) status(end proxy.CallEnd) int {
	if end.NumHeaders == 0 {
		return 0
	}
	text, err := s.proxy.Header(proxy.CallHeaders, ":status")
	if err != nil {
		return 0
	}
	status, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return status
}

// delivered forgets the batch that the receiver took, says what was lost if there is room for it,
// and goes on.
func (s *Sink) delivered(now clock.Mono) {
	if s.failures > 0 {
		proxy.Log(s.proxy, proxy.Info, "audit events reach "+s.cfg.Cluster+" again")
	}
	s.queue.pop(s.sending)
	s.sending, s.failures, s.retryAt = 0, 0, 0
	s.batch = min(2*s.batch, s.cfg.BatchEvents)
	if s.full && s.queue.roomy() {
		s.tell()
	}
	ending := s.stopped != nil
	if !ending && s.queue.len() >= s.batch || ending && s.next() == nil {
		s.send(now)
	}
}

// fail keeps the batch for another attempt.
func (s *Sink) fail(now clock.Mono, why string) {
	if s.failures == 0 {
		proxy.Log(s.proxy, proxy.Error, "audit events wait: cluster "+s.cfg.Cluster+": "+why)
	}
	s.sending = 0
	s.failures = min(s.failures+1, 30)
	wait := min(int64(clock.Second)<<min(s.failures-1, 10), maxBackoff)
	s.retryAt = now.Add(wait/2 + int64(s.chance()%uint64(wait/2)))
}

// chance is a random number, good enough to spread attempts (xorshift64).
func (s *Sink) chance() uint64 {
	s.random ^= s.random << 13
	s.random ^= s.random >> 7
	s.random ^= s.random << 17
	return s.random
}
