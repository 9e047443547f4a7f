package ratelimit

import (
	"encoding/binary"
	"unsafe"

	"gatehouse/core/ascii"
)

// found is an identifier's bucket as loaded, and the identifier's own entry in it.
type found struct {
	key     string
	bucket  bucket
	version Version
	tag     uint64
	exists  bool // the identifier has an entry
	birth   uint32
	last    int64 // moment of its newest charge
	states  [MaxWindows]state
	damaged int // number of damaged entries or buckets
}

// load reads an identifier's state as it is at now. The result is valid until the store's next
// call. Damaged data reads as empty, and the next write replaces it.
func (l *Limiter) load(r *rule, id ID, now int64, f *found) error {
	gen, err := l.loadGeneration()
	if err != nil {
		return err
	}
	*f = found{key: l.bucketKey(r, id), tag: binary.LittleEndian.Uint64(id[8:])}
	if err := l.loadBucket(r, gen, now, f); err != nil {
		return err
	}
	e, ok := f.bucket.find(f.tag)
	if !ok {
		return nil
	}
	if f.exists = r.readWindows(e.windows, f.bucket.clock, &f.states); f.exists {
		f.birth, f.last = e.birth, e.last
	} else {
		f.states = [MaxWindows]state{}
		f.damaged = 1
	}
	return nil
}

func (l *Limiter) loadBucket(r *rule, gen uint64, now int64, f *found) error {
	for {
		value, version, err := l.store.Get(f.key)
		if err != nil {
			return err
		}
		f.version = version
		f.bucket = bucket{gen: gen, clock: now}
		if version == Absent {
			return nil
		}
		k, ok := r.readBucket(value, now)
		switch {
		case !ok:
			f.damaged = 1
			return nil
		case k.gen < gen: // ClearAll came after it. births continue: an earlier charge can still be refunded
			f.bucket.births = k.births
			return nil
		case k.gen == gen:
			f.bucket = k
			return nil
		}
		// ClearAll may have run after the generation was read here and before the bucket was
		// written. If it has not, the bucket's generation is damaged.
		newer, err := l.loadGeneration()
		if err != nil {
			return err
		}
		if newer <= gen {
			f.damaged = 1
			return nil
		}
		gen = newer
	}
}

// bucketKey is the key of id's bucket. It is valid until the next call.
func (l *Limiter) bucketKey(r *rule, id ID) string {
	l.key = ascii.AppendHex(append(l.key[:0], r.prefix...), binary.LittleEndian.Uint64(id[:8])%r.buckets)
	return unsafe.String(&l.key[0], len(l.key)) // no copy: a Store does not keep keys
}
