package jwt

import "gatehouse/core/jwks"

// Fits reports whether a key is one for some algorithm of the set.
func (s AlgSet) Fits(k *jwks.Key) bool {
	for a := RS256; a < algCount; a++ {
		if s.Has(a) && a.fits(k) {
			return true
		}
	}
	return false
}
