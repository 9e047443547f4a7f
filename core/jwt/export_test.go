package jwt

import "gatehouse/core/jwks"

// SelfTestKeys is the known answers' JWK Set.
const SelfTestKeys = selfTestKeys

// SelfTestSignature is the known answer for an algorithm.
func SelfTestSignature(a Alg) string {
	for _, t := range selfTests {
		if t.alg == a {
			return t.signature
		}
	}
	return ""
}

// SignatureChecker is what verifies signatures behind Verify: by the host for what passed SelfTest,
// else by Go's crypto.
func SignatureChecker(host HostVerify) func(a Alg, k *jwks.Key, signed string, sig []byte) bool {
	return checker{host, SelfTest(host)}.check
}

// Fitting reports whether a key can verify signatures of an algorithm.
func Fitting(a Alg, k *jwks.Key) bool { return a.fits(k) }
