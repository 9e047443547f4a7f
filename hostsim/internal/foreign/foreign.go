// Package foreign holds the foreign functions that every Envoy has.
package foreign

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	_ "crypto/sha1" //nolint:gosec // Envoy offers it; the hash registers itself with crypto
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/binary"
	"strings"

	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/internal/protobuf"
)

// signatureHashes are the hash functions that Envoy's verify_signature knows, by
// the names it knows them under.
var signatureHashes = map[string]crypto.Hash{
	"sha1":   crypto.SHA1,
	"sha224": crypto.SHA224,
	"sha256": crypto.SHA256,
	"sha384": crypto.SHA384,
	"sha512": crypto.SHA512,
}

// VerifySignature is Envoy's foreign function verify_signature
// (source/extensions/common/wasm/ext/verify_signature.proto): the arguments are
// 1 the hash's name, 2 the public key as DER SubjectPublicKeyInfo, 3 the
// signature (RSASSA-PKCS1-v1_5, or ECDSA in DER), 4 the signed text; the result
// is 1 whether the signature holds, 2 an error.
func VerifySignature(args []byte) ([]byte, abi.Status) {
	fields, ok := protobuf.Parse(args)
	if !ok {
		return nil, abi.BadArgument
	}
	var hashName string
	var key, signature, text []byte
	for _, f := range fields {
		switch f.Number {
		case 1:
			hashName = string(f.Bytes)
		case 2:
			key = f.Bytes
		case 3:
			signature = f.Bytes
		case 4:
			text = f.Bytes
		}
	}
	if len(key) == 0 {
		return nil, abi.BadArgument
	}
	hash, ok := signatureHashes[strings.ToLower(hashName)]
	if !ok {
		return signatureResult(false, hashName+" is not supported."), abi.OK
	}
	const noInit = "Failed to initialize digest verify."
	public, err := x509.ParsePKIXPublicKey(key)
	if err != nil {
		return signatureResult(false, noInit), abi.OK
	}
	h := hash.New()
	h.Write(text)
	digest := h.Sum(nil)
	switch k := public.(type) {
	case *rsa.PublicKey:
		ok = rsa.VerifyPKCS1v15(k, hash, digest, signature) == nil
	case *ecdsa.PublicKey:
		ok = ecdsa.VerifyASN1(k, digest, signature)
	default:
		return signatureResult(false, noInit), abi.OK
	}
	if !ok {
		return signatureResult(false, "Failed to verify digest. Error code: 0"), abi.OK
	}
	return signatureResult(true, ""), abi.OK
}

func signatureResult(ok bool, msg string) []byte {
	var b []byte
	if ok {
		b = append(b, 1<<3, 1)
	}
	if msg != "" {
		b = append(b, 2<<3|2)
		b = binary.AppendUvarint(b, uint64(len(msg)))
		b = append(b, msg...)
	}
	return b
}

// ClearRouteCache has nothing to do: the host has one route.
func ClearRouteCache([]byte) ([]byte, abi.Status) { return nil, abi.OK }
