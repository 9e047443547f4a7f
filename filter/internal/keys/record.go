//go:build wasip1

package keys

import "encoding/binary"

// record is what all workers know about one provider's JWK Set. Moments are monotonic nanoseconds, the same clock for all
// workers of a process.
type record struct {
	seq         uint32 // of the set; 0 before the first
	failures    uint32 // since the last success
	fetchedAt   int64  // the set's
	next        int64  // when to fetch again
	lastAttempt int64  // when a fetch was last begun; 0 for never
	leaseUntil  int64  // a fetch is under way until then at most; 0 for none
}

const (
	recordVersion = 1
	recordBytes   = 1 + 2*4 + 4*8
)

func (r *record) encode() []byte {
	b := make([]byte, 0, recordBytes)
	b = append(b, recordVersion)
	b = binary.LittleEndian.AppendUint32(b, r.seq)
	b = binary.LittleEndian.AppendUint32(b, r.failures)
	for _, t := range [...]int64{r.fetchedAt, r.next, r.lastAttempt, r.leaseUntil} {
		b = binary.LittleEndian.AppendUint64(b, uint64(t))
	}
	return b
}

// decode reads a record; what isn't one of this version is as good as none.
func decode(b []byte) (r record, ok bool) {
	if len(b) != recordBytes || b[0] != recordVersion {
		return record{}, false
	}
	r.seq = binary.LittleEndian.Uint32(b[1:])
	r.failures = binary.LittleEndian.Uint32(b[5:])
	for i, t := range [...]*int64{&r.fetchedAt, &r.next, &r.lastAttempt, &r.leaseUntil} {
		*t = int64(binary.LittleEndian.Uint64(b[9+8*i:]))
	}
	return r, true
}
