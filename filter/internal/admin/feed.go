package admin

import (
	"bytes"
	"strconv"
	"strings"

	"gatehouse/core/audit"
	"gatehouse/core/clock"
	"gatehouse/core/metrics"
	"gatehouse/core/ratelimit"
)

// Refusals is how many refusals the API remembers.
const Refusals = 200

const (
	maxRefusal = 64 << 10  // bytes of an audit event; a longer one is left out
	maxNames   = 512 << 10 // bytes of all metrics' names
	maxHeads   = 512       // streams whose heads are kept
)

// Feed is a gate's side of the admin API: it shares what the proxy doesn't add up over all workers.
// It belongs to one plugin instance.
type Feed struct {
	store     ratelimit.Store
	active    bool
	durations *metrics.Sketch // not yet shared
	refusals  [][]byte        // not yet shared, oldest first
	named     int             // how many metrics have been named
	head      audit.Head      // of the gate's stream of chained audit lines
	chained   uint64          // lines of that stream
	shared    uint64          // how many there were when its head was last shared
}

// NewFeed returns the Feed of a plugin instance.
func NewFeed(store ratelimit.Store) *Feed { return &Feed{store: store} }

// Active reports whether an admin API was there at the last Look. While it isn't, the other methods
// do nothing.
func (f *Feed) Active() bool { return f.active }

// Look finds out whether an admin API is there, at now on the monotonic clock.
func (f *Feed) Look(now clock.Mono) {
	_, active := marked(read(f.store, markKey), now)
	if active && !f.active {
		f.durations = &metrics.Sketch{}
	}
	if !active {
		f.durations, f.refusals, f.named, f.shared = nil, nil, 0, 0
	}
	f.active = active
}

// Validated is told how long the validation of a token took, in nanoseconds.
func (f *Feed) Validated(nanos int64) {
	if f.active {
		f.durations.Add(nanos)
	}
}

// Refused is told the audit event of a refused request. It keeps a copy.
func (f *Feed) Refused(event []byte) {
	if !f.active || len(event) > maxRefusal {
		return
	}
	if len(f.refusals) == Refusals {
		f.refusals = append(f.refusals[:0], f.refusals[1:]...)
	}
	f.refusals = append(f.refusals, bytes.Clone(event))
}

// Head is told the head of the gate's stream of chained audit lines.
func (f *Feed) Head(head audit.Head) { f.head, f.chained = head, head.Seq+1 }

// Share shares what has come since the last time. defined is how many metrics the gate has defined,
// names calls yield with the name of each. What can't be shared now is shared the next time.
func (f *Feed) Share(defined int, names func(yield func(name string))) {
	if !f.active {
		return
	}
	if defined != f.named && f.shareNames(names) == nil {
		f.named = defined
	}
	if f.durations.Count() > 0 && f.shareDurations() == nil {
		*f.durations = metrics.Sketch{}
	}
	if f.chained != f.shared && f.shareHead() == nil {
		f.shared = f.chained
	}
	if len(f.refusals) > 0 && f.shareRefusals() == nil {
		f.refusals = f.refusals[:0]
	}
}

func (f *Feed) shareDurations() error {
	all := &metrics.Sketch{}
	return update(f.store, durationsKey, func(old []byte) ([]byte, bool) {
		_ = all.Parse(old) // what can't be read is empty then
		all.Merge(f.durations)
		return all.AppendBinary(nil), true
	})
}

func (f *Feed) shareNames(names func(yield func(name string))) error {
	return update(f.store, namesKey, func(old []byte) ([]byte, bool) {
		known := make(map[string]bool)
		value := text(bytes.Clone(old))
		for line := range strings.Lines(string(old)) {
			known[line] = true
		}
		names(func(name string) {
			name += "\n"
			if !known[name] && len(value)+len(name) < maxNames {
				value.add(name)
			}
		})
		return value, len(value) > len(old)
	})
}

// shareHead replaces the stream's head among those of all streams. A stream ends with its VM; the
// oldest go if there are too many.
func (f *Feed) shareHead() error {
	line := text(f.head.AppendJSON(nil))
	stream := line[:bytes.Index(line, []byte(`"seq"`))]
	line.add("\n")
	return update(f.store, HeadsKey, func(old []byte) ([]byte, bool) {
		var value text
		count := bytes.Count(old, []byte{'\n'})
		for other := range strings.Lines(string(old)) {
			if !strings.HasPrefix(other, string(stream)) && count < maxHeads {
				value.add(other)
			}
			count--
		}
		return append(value, line...), true
	})
}

func (f *Feed) shareRefusals() error {
	first := uint64(0)
	err := update(f.store, refusedKey, func(old []byte) ([]byte, bool) {
		first = number(old)
		return appendNumber(nil, first+uint64(len(f.refusals))), true
	})
	if err != nil {
		return err
	}
	for i, event := range f.refusals {
		n := first + uint64(i)
		_ = update(f.store, slotKey(n), func(old []byte) ([]byte, bool) {
			// Another worker that took its numbers later may be first to write. A number far ahead
			// is damage.
			later := uint64(0)
			if len(old) >= 8 {
				later = number(old[:8]) - n
			}
			return append(appendNumber(nil, n), event...), later == 0 || later > 100*Refusals
		})
	}
	return nil
}

func slotKey(n uint64) string { return refusalKey + strconv.FormatUint(n%Refusals, 10) }
