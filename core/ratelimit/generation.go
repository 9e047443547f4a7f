package ratelimit

import "encoding/binary"

// The generation counts calls of ClearAll. A bucket of an older generation is empty. The generation
// is stored as
//
//	'g' 'h' | format 1 | 0 | generation 8
//
// and missing until the first ClearAll. A damaged value reads as generation 0: then buckets of any
// other generation count as damaged and start empty.
const generationSize = 12

func readGeneration(b []byte) uint64 {
	if len(b) != generationSize || b[0] != 'g' || b[1] != 'h' || b[2] != format || b[3] != 0 {
		return 0
	}
	return binary.LittleEndian.Uint64(b[4:])
}

func (l *Limiter) loadGeneration() (uint64, error) {
	value, _, err := l.store.Get(l.generation)
	if err != nil {
		return 0, err
	}
	return readGeneration(value), nil
}

// ClearAll deletes every charge of every rule under the namespace, for all workers at once. The
// error is the store's or ErrContention.
func (l *Limiter) ClearAll() error {
	for range Tries {
		value, version, err := l.store.Get(l.generation)
		if err != nil {
			return err
		}
		next := binary.LittleEndian.AppendUint64([]byte{'g', 'h', format, 0}, readGeneration(value)+1)
		if done, err := l.store.CompareAndSet(l.generation, next, version); err != nil || done {
			return err
		}
	}
	return ErrContention
}
