package ratelimit

import "encoding/binary"

// A bucket is stored as
//
//	'g' 'h' | format 1 | entries 1 | fingerprint 8 | generation 8 | clock 8 | births 4 | entries
//
// and an entry, the state of one identifier, as
//
//	tag 8 | size of the windows 4 | birth 4 | last 8 | one window after the other
//
// clock is the newest moment at which the bucket was written. A worker whose own clock reads less
// uses it instead, so that the moments of a bucket's charges never go back, in whatever order
// workers write. last is the moment of an entry's newest charge. birth is the value of the bucket's
// counter births when the entry was created.
const (
	format       = 1 // in the key too, so that two formats never meet under one key
	bucketHeader = 32
	entryHeader  = 24

	// bucketEntries is how many entries a bucket holds, bucketShare how many it has on average with
	// MaxIdentifiers identifiers: see the package comment.
	bucketEntries = 32
	bucketShare   = 16

	// maxLead is how far a bucket's clock may be ahead of the reader's, in nanoseconds. No worker
	// takes that long from reading its clock to using it. A bucket further ahead is damaged, and
	// would delay the expiry of its charges by as much.
	maxLead = 60_000_000_000
)

// bucket is a stored bucket as one worker has read it.
type bucket struct {
	entries []byte
	n       int
	clock   int64 // the moment to decide for: the reader's clock, or the stored one if later
	gen     uint64
	births  uint32
}

// entry is the part of a bucket that belongs to one identifier.
type entry struct {
	tag     uint64
	birth   uint32
	last    int64
	windows []byte
	raw     []byte // the whole entry, as stored
}

// readBucket reads the value of a bucket's key. It reports false for a value that this package
// can't have written there.
func (r *rule) readBucket(b []byte, now int64) (k bucket, ok bool) {
	if len(b) < bucketHeader || b[0] != 'g' || b[1] != 'h' || b[2] != format || binary.LittleEndian.Uint64(b[4:]) != r.fingerprint {
		return k, false
	}
	k = bucket{
		entries: b[bucketHeader:],
		n:       int(b[3]),
		gen:     binary.LittleEndian.Uint64(b[12:]),
		clock:   int64(binary.LittleEndian.Uint64(b[20:])),
		births:  binary.LittleEndian.Uint32(b[28:]),
	}
	if k.n > bucketEntries || k.clock < 0 || k.clock-now > maxLead {
		return k, false
	}
	rest := k.entries
	for range k.n {
		var e entry
		if e, rest, ok = nextEntry(rest); !ok || e.last < 0 || e.last > k.clock {
			return k, false
		}
	}
	k.clock = max(k.clock, now)
	return k, len(rest) == 0
}

// nextEntry splits b after its first entry.
func nextEntry(b []byte) (e entry, rest []byte, ok bool) {
	if len(b) < entryHeader {
		return e, nil, false
	}
	size := binary.LittleEndian.Uint32(b[8:])
	if uint64(size) > uint64(len(b)-entryHeader) {
		return e, nil, false
	}
	end := entryHeader + int(size)
	return entry{
		tag:     binary.LittleEndian.Uint64(b),
		birth:   binary.LittleEndian.Uint32(b[12:]),
		last:    int64(binary.LittleEndian.Uint64(b[16:])),
		windows: b[entryHeader:end],
		raw:     b[:end],
	}, b[end:], true
}

// find returns the entry with that tag.
func (k *bucket) find(tag uint64) (e entry, ok bool) {
	rest := k.entries
	for range k.n {
		e, rest, _ = nextEntry(rest)
		if e.tag == tag {
			return e, true
		}
	}
	return entry{}, false
}

// appendHeader appends the bucket's header with a count of 0 entries. Each appended entry
// increments it.
func (r *rule) appendHeader(dst []byte, k *bucket) []byte {
	dst = append(dst, 'g', 'h', format, 0)
	dst = binary.LittleEndian.AppendUint64(dst, r.fingerprint)
	dst = binary.LittleEndian.AppendUint64(dst, k.gen)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(k.clock))
	return binary.LittleEndian.AppendUint32(dst, k.births)
}

// appendOthers appends the bucket without the entry of that tag, without expired entries and
// without skip, which may be nil.
func (r *rule) appendOthers(dst []byte, k *bucket, tag uint64, skip *entry) []byte {
	start := len(dst)
	dst = r.appendHeader(dst, k)
	rest := k.entries
	var e entry
	for range k.n {
		e, rest, _ = nextEntry(rest)
		if e.tag == tag || r.expired(&e, k.clock) || skip != nil && e.tag == skip.tag {
			continue
		}
		dst = append(dst, e.raw...)
		dst[start+3]++
	}
	return dst
}

// expired reports whether all of e's charges are older than the longest window. A charge in a ring
// may count until its slot ends; it need not.
func (r *rule) expired(e *entry, clock int64) bool { return clock-e.last >= r.lifetime }

// appendEntry appends an entry's header. The windows follow, then finishEntry.
func appendEntry(dst []byte, tag uint64, birth uint32, last int64) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, tag)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	dst = binary.LittleEndian.AppendUint32(dst, birth)
	return binary.LittleEndian.AppendUint64(dst, uint64(last))
}

// finishEntry completes the last entry of the bucket b, which starts at from: its size, and the
// bucket's count of entries.
func finishEntry(b []byte, from int) {
	b[3]++
	binary.LittleEndian.PutUint32(b[from+8:], uint32(len(b)-from-entryHeader))
}

// victim picks the entry to evict from a full bucket: an expired one, else the one that uses the
// smallest share of its limit, on a tie the one whose newest charge is the oldest. live is true if
// the entry still has charges that count. full is true if every entry has reached its limit: then
// none is evicted.
func (r *rule) victim(k *bucket) (v entry, live, full bool) {
	least := 2.0
	rest := k.entries
	var e entry
	for range k.n {
		e, rest, _ = nextEntry(rest)
		share := r.usedShare(&e, k.clock)
		if share < least || share == least && e.last < v.last {
			least, v = share, e
		}
	}
	return v, least != 0, least >= 1
}

// usedShare is the largest share of a limit that e has used in any window: 0 if no charge counts, 1
// if less than the lowest cost remains. A damaged entry has used nothing.
func (r *rule) usedShare(e *entry, clock int64) float64 {
	var states [MaxWindows]state
	if !r.readWindows(e.windows, clock, &states) {
		return 0
	}
	largest := 0.0
	for i := range r.windows {
		total, limit := states[i].total, r.windows[i].max
		if limit-total < r.minCost {
			return 1
		}
		largest = max(largest, float64(total)/float64(limit))
	}
	return largest
}

// readWindows reads an entry's windows as they are at clock.
func (r *rule) readWindows(b []byte, clock int64, states *[MaxWindows]state) (ok bool) {
	for i := range r.windows {
		if states[i], b, ok = r.windows[i].read(b, clock); !ok {
			return false
		}
	}
	return len(b) == 0
}
