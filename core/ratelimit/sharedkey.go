package ratelimit

import "errors"

// SharedKey returns the secret key for NewHasher that all workers under the namespace share: the one that is stored, or else
// candidate, which must be random and is stored then. It fails with the store's error, with ErrContention,
// or if what is stored isn't a key.
func SharedKey(store Store, namespace string, candidate [16]byte) ([16]byte, error) {
	const header = "gh\x01k" // as other values: 'g' 'h', format, and what it is
	name := namespace + "limits/1/key"
	for range Tries {
		value, version, err := store.Get(name)
		if err != nil {
			return [16]byte{}, err
		}
		if version != Absent {
			if len(value) != len(header)+16 || string(value[:len(header)]) != header {
				return [16]byte{}, errors.New("ratelimit: the shared hash key is damaged")
			}
			return [16]byte(value[len(header):]), nil
		}
		done, err := store.CompareAndSet(name, append([]byte(header), candidate[:]...), Absent)
		if err != nil {
			return [16]byte{}, err
		}
		if done {
			return candidate, nil
		}
	}
	return [16]byte{}, ErrContention
}
