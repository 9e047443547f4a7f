package ratelimit

import "errors"

// SharedKey returns the secret key for NewHasher that all workers under the namespace share. If
// none is stored yet, it stores candidate, which must be random. It fails with the store's error,
// with ErrContention, or if the stored value is not a key.
func SharedKey(store Store, namespace string, candidate [16]byte) ([16]byte, error) {
	const header = "gh\x01k" // like other values: 'g' 'h', the format, and the kind of value
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
