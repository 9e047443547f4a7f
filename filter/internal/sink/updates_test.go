package sink_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"gatehouse/core/config"
	"gatehouse/filter/internal/proxy/proxytest"
	"gatehouse/filter/internal/sink"
)

// teller is an owner that counts its lost lines, and tells them in one line of a few bytes.
type teller struct {
	sink              *sink.Sink
	written, lost     int
	queued, untoldYet int
}

func (o *teller) Lost([]byte) { o.lost++; o.untoldYet++ }

func (o *teller) WriteGaps() {
	if o.untoldYet > 0 {
		o.write([]byte("gap"))
		o.untoldYet = 0
	}
}

func (o *teller) write(line []byte) {
	o.written++
	o.sink.Append(line)
}

// events is how many events are in the queue.
func (o *teller) events() int {
	o.queued += o.sink.Growth()
	return o.queued
}

// TestUpdatesInARowKeepTheQueueBounded has one update after another while the receiver fails. An
// instance ends before or after its heir has had events of its own.
func TestUpdatesInARowKeepTheQueueBounded(t *testing.T) {
	const updates, megabyte = 40, 1 << 20
	const events, batch = 100, 10 // an update may add the batch that was sent, and tell a loss
	px := proxytest.New()
	start := func(events int) *teller {
		o := &teller{}
		o.sink = sink.New(px, &config.AuditHTTP{BatchEvents: batch, QueueEvents: events, FlushSeconds: 1, TimeoutSeconds: 5}, o, 7)
		return o
	}
	always, never, everySecond := func(int) bool { return true }, func(int) bool { return false }, func(i int) bool { return i%2 == 0 }
	for name, test := range map[string]struct {
		events, bytes int
		limit         int // of events
		heirsAreBusy  func(update int) bool
	}{
		"events, busy heirs":             {events, 100, 2*events + updates*(batch+1), always},
		"events, every second heir busy": {events, 100, 2*events + updates*(batch+1), everySecond},
		"events, idle heirs":             {events, 100, 2*events + updates*(batch+1), never},
		"64 MiB, busy heirs":             {100_000, megabyte, 64 + updates, always},
		"64 MiB, every second heir busy": {100_000, megabyte, 64 + updates, everySecond},
	} {
		t.Run(name, func(t *testing.T) {
			line := bytes.Repeat([]byte("x"), test.bytes)
			work := func(o *teller) {
				for range min(test.events, 32<<20/test.bytes) + 5 {
					o.write(line)
				}
				o.sink.Tick(px.Mono)
				for len(px.Pending) > 0 {
					px.Pending[0].End(nil)
				}
			}
			written, lost, dropped := 0, 0, 0
			account := func(o *teller) { written, lost = written+o.written, lost+o.lost }
			last := start(test.events)
			work(last)
			for i := range updates {
				px.Mono += 60 * second
				heir := start(test.events)
				if test.heirsAreBusy(i) {
					work(heir)
				}
				n, done := last.sink.Stop(px.Mono, func() *sink.Sink { return heir.sink }, nil)
				require.True(t, done)
				require.Zero(t, last.events())
				require.LessOrEqual(t, heir.events(), test.limit, "update %d", i)
				work(heir)
				account(last)
				dropped += n
				last = heir
			}
			account(last)
			require.Equal(t, written, last.events()+lost+dropped, "each line waits, or is told, or is counted")
		})
	}
}
