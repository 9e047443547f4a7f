package proxy

import "encoding/binary"

// Signatures asks the proxy to verify signatures, by Envoy's foreign function verify_signature. It
// is not safe for concurrent use: all calls share one buffer.
type Signatures struct {
	Proxy Proxy
	arg   []byte
}

// Verify verifies a signature. The key is a DER SubjectPublicKeyInfo, an ECDSA signature is in DER.
// handled is false if the proxy has no such function or doesn't know the key or the hash; ok is
// true only if the signature holds.
func (s *Signatures) Verify(hash string, spki, sig []byte, signed string) (ok, handled bool) {
	if len(sig) == 0 || len(signed) == 0 || len(spki) == 0 {
		return false, true
	}
	arg := appendField(s.arg[:0], 1, hash)
	arg = appendField(arg, 2, spki)
	arg = appendField(arg, 3, sig)
	arg = appendField(arg, 4, signed)
	s.arg = arg
	answer, err := s.Proxy.CallForeign("verify_signature", arg)
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
