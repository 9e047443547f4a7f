package admin

import (
	"encoding/binary"

	"gatehouse/core"
	"gatehouse/core/clock"
	"gatehouse/core/ratelimit"
)

// Keys of the shared data. Their version changes with the form of their values.
const (
	namespace    = core.Namespace + "admin/1/"
	markKey      = namespace + "mark"     // when an admin API was last there: monotonic nanoseconds
	durationsKey = namespace + "duration" // a metrics.Sketch of all workers
	namesKey     = namespace + "names"    // of the metrics that gates count, each with a line feed before and behind it
	baselineKey  = namespace + "baseline" // see baseline
	refusedKey   = namespace + "refused"  // how many refusals there were
	refusalKey   = namespace + "refusal/" // with a slot's number: which refusal it is, and its audit event

	// HeadsKey is where gates with an audit chain leave the heads of their streams: a JSON object a
	// line.
	HeadsKey = core.Namespace + "audit/1/heads"
)

// Times of the mark, in nanoseconds. Workers' clocks are one, but they look at it at different
// times.
const (
	markEvery = 2 * clock.Second
	markLasts = 10 * clock.Second
	clockLead = 60 * clock.Second
)

// update changes a value by compare-and-set, unless change says no.
func update(store ratelimit.Store, key string, change func(old []byte) (value []byte, ok bool)) error {
	for range ratelimit.Tries {
		old, version, err := store.Get(key)
		if err != nil {
			return err
		}
		value, ok := change(old)
		if !ok {
			return nil
		}
		done, err := store.CompareAndSet(key, value, version)
		if err != nil || done {
			return err
		}
	}
	return ratelimit.ErrContention
}

// read returns a value, nil if there is none or it can't be read.
func read(store ratelimit.Store, key string) []byte {
	value, _, err := store.Get(key)
	if err != nil {
		return nil
	}
	return value
}

func number(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

func appendNumber(dst []byte, n uint64) []byte { return binary.LittleEndian.AppendUint64(dst, n) }

// marked reports whether an admin API was there a short time before now, and when.
func marked(mark []byte, now clock.Mono) (at clock.Mono, ok bool) {
	at = clock.Mono(number(mark))
	return at, len(mark) == 8 && now-at < markLasts && at-now < clockLead
}
