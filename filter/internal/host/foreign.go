//go:build wasip1

package host

import (
	"encoding/binary"
	"unsafe"
)

// VerifySignature asks the proxy to verify a signature (Envoy's foreign function verify_signature). The key is a DER
// SubjectPublicKeyInfo, an ECDSA signature is in DER. handled is false where the proxy has no such function or doesn't
// know the key.
func VerifySignature(hash string, spki, sig, signed []byte) (ok, handled bool) {
	if len(sig) == 0 || len(signed) == 0 || len(spki) == 0 {
		return false, true
	}
	msg := make([]byte, 0, len(hash)+len(spki)+len(sig)+len(signed)+24)
	msg = appendField(msg, 1, hash)
	msg = appendField(msg, 2, spki)
	msg = appendField(msg, 3, sig)
	msg = appendField(msg, 4, signed)
	name, n := stringPtr("verify_signature")
	arg, size := bytesPtr(msg)
	fetched = fetchedBytes{}
	if proxyCallForeignFunction(name, n, arg, size, unsafe.Pointer(&fetched.data), &fetched.size) != 0 {
		return false, false
	}
	// The answer is a message of its own: 1, a varint, is the verdict; 2, the error's text. A false verdict is left out.
	answer := fetched.bytes()
	return len(answer) >= 2 && answer[0] == 1<<3 && answer[1] == 1, true
}

// appendField appends a length-delimited protobuf field.
func appendField[B ~string | ~[]byte](dst []byte, number byte, value B) []byte {
	dst = append(dst, number<<3|2)
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	return append(dst, value...)
}
