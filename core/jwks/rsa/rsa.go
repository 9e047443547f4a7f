// Package rsa verifies RSA signatures (RFC 8017): RSASSA-PKCS1-v1_5 and RSASSA-PSS.
//
// It exists because crypto/rsa also signs, and prints errors with fmt: it adds 0.3 MB to a
// WebAssembly module, and each megabyte adds more than a second to the start of an Envoy
// (docs/RATIONALE.md). Its running time depends on its input, which must be public: never give it a
// secret.
package rsa

import (
	"bytes"
	"hash"
)

// MaxBits is the length in bits of the largest modulus.
const MaxBits = 8192

// VerifyPKCS1v15 reports whether sig is the RSASSA-PKCS1-v1_5 signature, by the key n and e, of a
// message with this digest (RFC 8017 §8.2.2). n is big-endian without leading zeros. The digest is
// one of SHA-256, SHA-384 or SHA-512; its length says which. It is false for a key that can't be
// one: n even or above MaxBits, e even or below 3.
func VerifyPKCS1v15(n []byte, e int, digest, sig []byte) bool {
	// The only valid padding is built and compared: there is nothing to parse, and so no other
	// spelling to accept by mistake.
	want := encodePKCS1v15(len(n), digest)
	if want == nil {
		return false
	}
	got, ok := open(n, e, sig)
	return ok && bytes.Equal(got, want)
}

// The DER of DigestInfo before the digest (RFC 8017 §9.2, note 1).
const (
	sha256Prefix = "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
	sha384Prefix = "\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30"
	sha512Prefix = "\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40"
)

// encodePKCS1v15 is EMSA-PKCS1-v1_5-ENCODE (RFC 8017 §9.2): 00 01 FF…FF 00, the prefix and the
// digest, in size bytes. It is nil if the digest is none of the three, or doesn't fit.
func encodePKCS1v15(size int, digest []byte) []byte {
	var prefix string
	switch len(digest) {
	case 32:
		prefix = sha256Prefix
	case 48:
		prefix = sha384Prefix
	case 64:
		prefix = sha512Prefix
	}
	const minPadding = 8
	padding := size - len(prefix) - len(digest) - 3
	if prefix == "" || padding < minPadding {
		return nil
	}
	em := make([]byte, 0, size)
	em = append(em, 0, 1)
	for range padding {
		em = append(em, 0xff)
	}
	em = append(em, 0)
	em = append(em, prefix...)
	return append(em, digest...)
}

// VerifyPSS reports whether sig is the RSASSA-PSS signature, by the key n and e, of a message with
// this digest (RFC 8017 §8.1.2). The mask is MGF1 with the same hash, and the salt is as long as
// the hash, as RFC 7518 §3.5 asks. n is big-endian without leading zeros. It is false for a key
// that can't be one: n even or above MaxBits, e even or below 3.
func VerifyPSS(n []byte, e int, h hash.Hash, digest, sig []byte) bool {
	em, ok := open(n, e, sig)
	if !ok {
		return false
	}
	bits := bitLen(n) - 1
	if size := (bits + 7) / 8; size < len(em) {
		// The modulus has one bit more than whole bytes: the encoded message is a byte shorter.
		if em[0] != 0 {
			return false
		}
		em = em[1:]
	}
	return verifyPSSEncoding(em, bits, h, digest)
}

// verifyPSSEncoding is EMSA-PSS-VERIFY (RFC 8017 §9.1.2) with a salt as long as the hash. em has
// emBits bits, in whole bytes. It changes em.
func verifyPSSEncoding(em []byte, emBits int, h hash.Hash, digest []byte) bool {
	hashLen := h.Size()
	if len(digest) != hashLen || len(em) < 2*hashLen+2 || em[len(em)-1] != 0xbc {
		return false
	}
	db, salted := em[:len(em)-hashLen-1], em[len(em)-hashLen-1:len(em)-1]
	mask := byte(0xff) >> (8*len(em) - emBits)
	if db[0]&^mask != 0 {
		return false
	}
	xorMGF1(db, h, salted)
	db[0] &= mask
	padding, salt := db[:len(db)-hashLen], db[len(db)-hashLen:]
	for _, b := range padding[:len(padding)-1] {
		if b != 0 {
			return false
		}
	}
	if padding[len(padding)-1] != 1 {
		return false
	}
	h.Reset()
	h.Write(make([]byte, 8))
	h.Write(digest)
	h.Write(salt)
	return bytes.Equal(h.Sum(nil), salted)
}

// xorMGF1 masks dst with MGF1 of the seed (RFC 8017 §B.2.1).
func xorMGF1(dst []byte, h hash.Hash, seed []byte) {
	var mask []byte
	for i := 0; len(dst) > 0; i++ {
		h.Reset()
		h.Write(seed)
		h.Write([]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)})
		mask = h.Sum(mask[:0])
		n := min(len(mask), len(dst))
		for j := range n {
			dst[j] ^= mask[j]
		}
		dst = dst[n:]
	}
}

// open is the primitive RSAVP1 (RFC 8017 §5.2.2): sigᵉ mod n, as long as n. ok is false for a
// signature of another length or not below n, and for a key that can't be one.
func open(n []byte, e int, sig []byte) (em []byte, ok bool) {
	if len(sig) != len(n) || bytes.Compare(sig, n) >= 0 || e < 3 || e&1 == 0 {
		return nil, false
	}
	m, ok := newModulus(n)
	if !ok {
		return nil, false
	}
	return m.power(sig, e), true
}
