package ratelimit

import "encoding/binary"

// A bucket is stored as
//
//	'g' 'h' | format 1 | entries 1 | fingerprint 8 | generation 8 | clock 8 | births 4 | entries
//
// and an entry, one caller's state, as
//
//	tag 8 | size of the windows 4 | birth 4 | last 8 | one window after the other
//
// clock is the newest moment at which the bucket was written. A worker whose own clock reads less takes it for now, so
// that the moments of a bucket's charges never go back, whatever the order in which workers get their writes in. last is
// the newest charge of an entry, birth what the bucket's counter of births was when the entry came.
const (
	format       = 1 // in the key too, so that two formats never meet under one key
	bucketHeader = 32
	entryHeader  = 24

	// bucketEntries and bucketShare are the associativity and the load with MaxIdentifiers callers: see the package comment.
	bucketEntries = 32
	bucketShare   = 16

	// maxLead is how far ahead of a reader's clock a bucket's may be, in nanoseconds: more than a worker can take from
	// reading its clock to using it. What is further ahead is damage, and would hold its callers back for as long.
	maxLead = 60_000_000_000
)

// bucket is a stored bucket as one worker found it.
type bucket struct {
	entries []byte
	n       int
	clock   int64 // the moment that decisions are made for: the reader's, or the bucket's if that is later
	gen     uint64
	births  uint32
}

// entry is one caller's part of a bucket.
type entry struct {
	tag     uint64
	birth   uint32
	last    int64
	windows []byte
	raw     []byte // all of it, as stored
}

// readBucket reads what is stored under a bucket's key. It reports false for what this package can't have written there.
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

// nextEntry takes an entry off the front of b.
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

// find is the entry with that tag.
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

// appendHeader appends the bucket's header; entries are counted in as they follow.
func (r *rule) appendHeader(dst []byte, k *bucket) []byte {
	dst = append(dst, 'g', 'h', format, 0)
	dst = binary.LittleEndian.AppendUint64(dst, r.fingerprint)
	dst = binary.LittleEndian.AppendUint64(dst, k.gen)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(k.clock))
	return binary.LittleEndian.AppendUint32(dst, k.births)
}

// appendOthers appends a bucket without the entries that have the tag, that are surely expired or that are skip.
func (r *rule) appendOthers(dst []byte, k *bucket, tag uint64, skip *entry) []byte {
	start := len(dst)
	dst = r.appendHeader(dst, k)
	rest := k.entries
	var e entry
	for range k.n {
		e, rest, _ = nextEntry(rest)
		if e.tag == tag || r.stale(&e, k.clock) || skip != nil && e.tag == skip.tag {
			continue
		}
		dst = append(dst, e.raw...)
		dst[start+3]++
	}
	return dst
}

// stale reports whether nothing of e has to count any more; in a ring it still may, for the rest of its slot.
func (r *rule) stale(e *entry, clock int64) bool { return clock-e.last >= r.lifetime }

// appendEntry appends an entry's header for windows that follow; finishEntry counts it in.
func appendEntry(dst []byte, tag uint64, birth uint32, last int64) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, tag)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	dst = binary.LittleEndian.AppendUint32(dst, birth)
	return binary.LittleEndian.AppendUint64(dst, uint64(last))
}

// finishEntry completes the entry that starts at from, the last one of the bucket b.
func finishEntry(b []byte, from int) {
	b[3]++
	binary.LittleEndian.PutUint32(b[from+8:], uint32(len(b)-from-entryHeader))
}

// victim chooses who has to go from a full bucket in which tag is new: who weighs nothing any more, else who is least charged in
// proportion to the limit, on a tie the one nearest to expiry. full says that nobody is to go, for all have reached their limit.
func (r *rule) victim(k *bucket) (v entry, live, full bool) {
	least := 2.0
	rest := k.entries
	var e entry
	for range k.n {
		e, rest, _ = nextEntry(rest)
		used := r.used(&e, k.clock)
		if used < least || used == least && e.last < v.last {
			least, v = used, e
		}
	}
	return v, least != 0, least >= 1
}

// used is how much of its tightest window a caller has used up: 0 for nothing, 1 if what is left is too little for any request.
// What can't be read is as good as nothing.
func (r *rule) used(e *entry, clock int64) float64 {
	var states [MaxWindows]state
	if !r.readWindows(e.windows, clock, &states) {
		return 0
	}
	most := 0.0
	for i := range r.windows {
		total, limit := states[i].total, r.windows[i].max
		if limit-total < r.cheapest {
			return 1
		}
		most = max(most, float64(total)/float64(limit))
	}
	return most
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
