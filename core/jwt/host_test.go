package jwt_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"strings"
	"testing"

	"gatehouse/core/jwt"
	"gatehouse/core/reason"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var hostHashes = map[string]crypto.Hash{"sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512}

// honest verifies as Envoy does, with the standard library: SPKI keys, ECDSA signatures in DER.
func honest(hash string, spki, sig []byte, signed string) (ok, handled bool) {
	h, known := hostHashes[hash]
	if !known {
		return false, false
	}
	w := h.New()
	w.Write([]byte(signed))
	key, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return false, false
	}
	switch key := key.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, h, w.Sum(nil), sig) == nil, true
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, w.Sum(nil), sig), true
	}
	return false, false
}

var hostAlgs = jwt.NewAlgSet(jwt.RS256, jwt.RS384, jwt.RS512, jwt.ES256, jwt.ES384, jwt.ES512)

func TestSelfTestBelievesOnlyAHostThatTellsGoodFromBad(t *testing.T) {
	for name, c := range map[string]struct {
		host jwt.HostVerify
		want jwt.AlgSet
	}{
		"none":   {nil, 0},
		"honest": {honest, hostAlgs},
		"absent": {func(string, []byte, []byte, string) (bool, bool) { return false, false }, 0},
		"always yes": {func(string, []byte, []byte, string) (bool, bool) {
			return true, true
		}, 0},
		"always no": {func(string, []byte, []byte, string) (bool, bool) { return false, true }, 0},
		"yes without having looked": {func(string, []byte, []byte, string) (bool, bool) {
			return true, false
		}, 0},
		"right, but not handled": {func(h string, k, s []byte, m string) (bool, bool) {
			ok, _ := honest(h, k, s, m)
			return ok, false
		}, 0},
		"knows SHA-256 alone": {func(h string, k, s []byte, m string) (bool, bool) {
			if h != "sha256" {
				return false, false
			}
			return honest(h, k, s, m)
		}, jwt.NewAlgSet(jwt.RS256, jwt.ES256)},
		"gives up on what it refuses": {func(h string, k, s []byte, m string) (bool, bool) {
			ok, _ := honest(h, k, s, m)
			return ok, ok
		}, 0},
		"reads the first bytes of the message": {func(h string, k, s []byte, m string) (bool, bool) {
			return honest(h, k, s, m[:6])
		}, 0},
		"ignores the signature's last byte": {func(h string, k, s []byte, m string) (bool, bool) {
			ok, handled := honest(h, k, s, m)
			if !ok {
				fixed := append([]byte(nil), s...)
				fixed[len(fixed)-1] ^= 1
				ok, handled = honest(h, k, fixed, m)
			}
			return ok, handled
		}, 0},
		"wants raw ECDSA signatures": {func(h string, k, s []byte, m string) (bool, bool) {
			// An RSA signature may begin with DER's first byte by chance.
			if key, err := x509.ParsePKIXPublicKey(k); err == nil {
				if _, is := key.(*ecdsa.PublicKey); is && s[0] == 0x30 {
					return false, true
				}
			}
			return honest(h, k, s, m)
		}, jwt.NewAlgSet(jwt.RS256, jwt.RS384, jwt.RS512)},
	} {
		assert.Equal(t, c.want, jwt.SelfTest(c.host), name)
		v := jwt.New([]jwt.Rules{testRules()}, fixedKeys{ourSet()}, c.host, 16384)
		assert.Equal(t, c.want, v.HostAlgorithms(), name)
		for _, a := range allAlgs() {
			token := mint(a, header(a, ""), goodPayload)
			assert.Equal(t, reason.None.String(), v.Verify(token, testNow).Reason.String(), "%s, %s", name, a)
			assert.Equal(t, reason.InvalidSignature.String(), v.Verify(swapChar(token, len(token)-9), testNow).Reason.String(), "%s, %s", name, a)
		}
	}
}

func TestTheHostDecidesWhereItCanAndGoWhereItCannot(t *testing.T) {
	var asked []string
	handles := true
	spy := func(h string, k, s []byte, m string) (bool, bool) {
		ok, handled := honest(h, k, s, m)
		asked = append(asked, h)
		return ok && handles, handled && handles
	}
	v := jwt.New([]jwt.Rules{testRules()}, fixedKeys{ourSet()}, spy, 16384)
	for _, a := range allAlgs() {
		for _, handles = range []bool{true, false} {
			asked = nil
			token := mint(a, header(a, ""), goodPayload)
			assert.Equal(t, reason.None, v.Verify(token, testNow).Reason, a.String())
			if hostAlgs.Has(a) {
				assert.Equal(t, []string{"sha" + a.String()[2:]}, asked, a.String())
			} else {
				assert.Empty(t, asked, a.String())
			}
			assert.Equal(t, reason.InvalidSignature, v.Verify(swapChar(token, len(token)-9), testNow).Reason, a.String())
		}
	}
}

// TestScalarsOutOfRangeNeverReachTheHost gives ECDSA signatures that have no DER form a verifier
// should see.
func TestScalarsOutOfRangeNeverReachTheHost(t *testing.T) {
	calls := 0
	v := jwt.New([]jwt.Rules{testRules()}, fixedKeys{ourSet()}, func(h string, k, s []byte, m string) (bool, bool) {
		calls++
		return honest(h, k, s, m)
	}, 16384)
	require.True(t, v.HostAlgorithms().Has(jwt.ES256))
	calls = 0
	good := mint(jwt.ES256, header(jwt.ES256, ""), goodPayload)
	input := good[:strings.LastIndexByte(good, '.')+1]
	zero, one, high := strings.Repeat("\x00", 32), strings.Repeat("\x00", 31)+"\x01", strings.Repeat("\xff", 32)
	for _, sig := range []string{"", zero + zero, zero + one, one + zero, high + one, one + high, one, one + one + "\x00", "\x00" + one + one, "0\x06\x02\x01\x01\x02\x01\x01"} {
		assert.Equal(t, reason.InvalidSignature, v.Verify(input+b64(sig), testNow).Reason, "%x", sig)
	}
	assert.Zero(t, calls)
	assert.Equal(t, reason.InvalidSignature, v.Verify(input+b64(one+one), testNow).Reason)
	assert.Equal(t, 1, calls)
}

// TestSignaturesOfEveryShapeBecomeDER signs until r and s have had leading zeros and high bits on
// every curve.
func TestSignaturesOfEveryShapeBecomeDER(t *testing.T) {
	v := jwt.New([]jwt.Rules{testRules()}, fixedKeys{ourSet()}, func(h string, k, s []byte, m string) (bool, bool) {
		ok, handled := honest(h, k, s, m)
		return ok, handled
	}, 16384)
	n := 600
	if testing.Short() {
		n = 50
	}
	for _, a := range []jwt.Alg{jwt.ES256, jwt.ES384, jwt.ES512} {
		for range n {
			require.Equal(t, reason.None, v.Verify(mint(a, header(a, ""), goodPayload), testNow).Reason)
		}
	}
}
