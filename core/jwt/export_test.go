package jwt

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
