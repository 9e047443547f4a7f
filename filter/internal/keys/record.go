package keys

import (
	"encoding/binary"

	"gatehouse/core/clock"
)

// record is what all workers know about one provider's JWK Set, as one value in the store: whoever
// reads it has all of it. Moments are monotonic nanoseconds, by the same clock for all workers of a
// process.
type record struct {
	seq         uint32     // of the set; 0 before the first
	failures    uint32     // since the last success
	maxAge      int32      // for how many seconds its answer called the set fresh; unsaid for not at all
	fetchedAt   clock.Mono // the set's
	lastAttempt clock.Mono // when a fetch was last begun; 0 for never
	leaseUntil  clock.Mono // a fetch is under way until then at most; 0 for none
	foundAt     clock.Mono // when the path was last found; 0 for never
	path        string     // of the set, as an OpenID configuration had it; "" if none was needed, or before the first
	body        []byte     // the set as fetched; may be the store's memory
}

const (
	unsaid        = -1
	recordVersion = 3
	headerBytes   = 1 + 3*4 + 4*8 + 2
)

// future is by how much a moment may lie ahead: other workers write theirs while this one looks at
// its clock. What is further ahead was written by something else, and could keep the set from ever
// being fetched again.
const future = maxTimeout + 60*second

func (r *record) encode() []byte {
	b := make([]byte, 0, headerBytes+len(r.path)+len(r.body))
	b = append(b, recordVersion)
	for _, n := range [...]uint32{r.seq, r.failures, uint32(r.maxAge)} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	for _, t := range [...]clock.Mono{r.fetchedAt, r.lastAttempt, r.leaseUntil, r.foundAt} {
		b = binary.LittleEndian.AppendUint64(b, uint64(t))
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(r.path)))
	return append(append(b, r.path...), r.body...)
}

// decode reads a record; what isn't one is as good as none. The body is a part of b.
func decode(b []byte, now clock.Mono) record {
	none := record{maxAge: unsaid}
	if len(b) < headerBytes || b[0] != recordVersion {
		return none
	}
	var r record
	r.seq = binary.LittleEndian.Uint32(b[1:])
	r.failures = binary.LittleEndian.Uint32(b[5:])
	r.maxAge = int32(binary.LittleEndian.Uint32(b[9:]))
	for i, t := range [...]*clock.Mono{&r.fetchedAt, &r.lastAttempt, &r.leaseUntil, &r.foundAt} {
		*t = clock.Mono(binary.LittleEndian.Uint64(b[13+8*i:]))
		if *t < 0 || *t > now.Add(future) {
			return none
		}
	}
	rest := b[headerBytes:]
	path := int(binary.LittleEndian.Uint16(b[headerBytes-2:]))
	if path > len(rest) || !isTarget(string(rest[:path])) {
		return none
	}
	r.path, r.body = string(rest[:path]), rest[path:]
	return r
}

// underWay reports whether a worker fetches.
func (r *record) underWay(now clock.Mono) bool { return now < r.leaseUntil }
