package jwks

// DER of the AlgorithmIdentifiers in a SubjectPublicKeyInfo (RFC 3279 §2.3.1, RFC 5480 §2.1.1). A
// SubjectPublicKeyInfo is one of these and the key, so that the module needs neither crypto/x509
// nor encoding/asn1.
const (
	algRSA  = "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"
	algP256 = "\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
	algP384 = "\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22"
	algP521 = "\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23"
)

const (
	derInteger   = 0x02
	derBitString = 0x03
	derSequence  = 0x30
)

// spkiRSA makes the SubjectPublicKeyInfo of an RSA key. Modulus and exponent are big-endian without
// leading zeros.
func spkiRSA(n, e []byte) []byte {
	key := appendUint(appendUint(nil, n), e)
	return spki(algRSA, appendDER(nil, derSequence, key))
}

func spkiEC(c Curve, x, y []byte) []byte {
	alg := algP256
	switch c {
	case P384:
		alg = algP384
	case P521:
		alg = algP521
	}
	return spki(alg, append(append([]byte{4}, x...), y...)) // 4: an uncompressed point (SEC 1 §2.3.3)
}

func spki(alg string, key []byte) []byte {
	bits := appendDER(nil, derBitString, append([]byte{0}, key...)) // no unused bits
	return appendDER(nil, derSequence, append([]byte(alg), bits...))
}

// appendUint appends a positive INTEGER. A leading zero byte stands before a number whose top bit
// is set, which would be negative without it.
func appendUint(dst, big []byte) []byte {
	if big[0] >= 0x80 {
		big = append([]byte{0}, big...)
	}
	return appendDER(dst, derInteger, big)
}

// appendDER appends tag, length and content. The content is shorter than 64 kB.
func appendDER(dst []byte, tag byte, content []byte) []byte {
	n := len(content)
	dst = append(dst, tag)
	switch {
	case n < 0x80:
		dst = append(dst, byte(n))
	case n < 0x100:
		dst = append(dst, 0x81, byte(n))
	default:
		dst = append(dst, 0x82, byte(n>>8), byte(n))
	}
	return append(dst, content...)
}
