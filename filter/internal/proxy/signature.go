package proxy

import "encoding/binary"

// VerifySignature asks the proxy to verify a signature, by Envoy's foreign function
// verify_signature. The key is a DER SubjectPublicKeyInfo, an ECDSA signature is in DER. handled is
// false if the proxy has no such function or doesn't know the key or the hash; ok is true only if
// the signature holds.
func VerifySignature(p Proxy, hash string, spki, sig, signed []byte) (ok, handled bool) {
	if len(sig) == 0 || len(signed) == 0 || len(spki) == 0 {
		return false, true
	}
	arg := make([]byte, 0, len(hash)+len(spki)+len(sig)+len(signed)+24)
	arg = appendField(arg, 1, hash)
	arg = appendField(arg, 2, spki)
	arg = appendField(arg, 3, sig)
	arg = appendField(arg, 4, signed)
	answer, err := p.CallForeign("verify_signature", arg)
	if err != nil {
		return false, false
	}
	// The answer is a protobuf message too. Field 1, a varint, is the verdict, absent if false;
	// field 2 the error's text.
	return len(answer) >= 2 && answer[0] == 1<<3 && answer[1] == 1, true
}

// appendField appends a length-delimited protobuf field.
func appendField[B ~string | ~[]byte](dst []byte, number byte, value B) []byte {
	dst = append(dst, number<<3|2)
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	return append(dst, value...)
}
