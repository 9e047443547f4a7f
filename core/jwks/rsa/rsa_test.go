package rsa_test

import (
	"crypto"
	"crypto/rand"
	stdrsa "crypto/rsa"
	"fmt"
	"math/big"
	"sync"
	"testing"

	"gatehouse/core/jwks/rsa"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The sizes have encoded messages of PSS that are as long as the modulus, a byte shorter (2049,
// 2057), and moduli that don't fill their last limb.
var sizes = []int{2048, 2049, 2057, 2111}

var hashes = []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}

// keys makes a key of each size, once.
var keys = sync.OnceValue(func() []*stdrsa.PrivateKey {
	out := make([]*stdrsa.PrivateKey, len(sizes))
	for i, size := range sizes {
		key, err := stdrsa.GenerateKey(rand.Reader, size)
		if err != nil {
			panic(err)
		}
		out[i] = key
	}
	return out
})

func digest(h crypto.Hash, message string) []byte {
	w := h.New()
	w.Write([]byte(message))
	return w.Sum(nil)
}

// scheme is a kind of signature, by crypto/rsa and by this package.
type scheme struct {
	name     string
	sign     func(*stdrsa.PrivateKey, crypto.Hash, []byte) ([]byte, error)
	standard func(*stdrsa.PublicKey, crypto.Hash, []byte, []byte) error
	ours     func(n []byte, e int, h crypto.Hash, digest, sig []byte) bool
}

var pss = &stdrsa.PSSOptions{SaltLength: stdrsa.PSSSaltLengthEqualsHash}

var schemes = []scheme{
	{
		"PKCS1v15",
		func(k *stdrsa.PrivateKey, h crypto.Hash, digest []byte) ([]byte, error) {
			return stdrsa.SignPKCS1v15(nil, k, h, digest)
		},
		stdrsa.VerifyPKCS1v15,
		func(n []byte, e int, _ crypto.Hash, digest, sig []byte) bool {
			return rsa.VerifyPKCS1v15(n, e, digest, sig)
		},
	},
	{
		"PSS",
		func(k *stdrsa.PrivateKey, h crypto.Hash, digest []byte) ([]byte, error) {
			return stdrsa.SignPSS(rand.Reader, k, h, digest, pss)
		},
		func(k *stdrsa.PublicKey, h crypto.Hash, digest, sig []byte) error {
			return stdrsa.VerifyPSS(k, h, digest, sig, pss)
		},
		func(n []byte, e int, h crypto.Hash, digest, sig []byte) bool {
			return rsa.VerifyPSS(n, e, h.New(), digest, sig)
		},
	},
}

// agree checks one input against crypto/rsa and gives the verdict.
func (s scheme) agree(t assert.TestingT, k *stdrsa.PublicKey, h crypto.Hash, digest, sig []byte) bool {
	want := s.standard(k, h, digest, sig) == nil
	got := s.ours(k.N.Bytes(), k.E, h, digest, sig)
	assert.Equal(t, want, got, "%s n=%x e=%d %v digest=%x sig=%x", s.name, k.N, k.E, h, digest, sig)
	return got
}

// each runs a test for each scheme, key and hash.
func each(t *testing.T, f func(*testing.T, scheme, *stdrsa.PrivateKey, crypto.Hash)) {
	for _, s := range schemes {
		for _, key := range keys() {
			for _, h := range hashes {
				t.Run(fmt.Sprintf("%s %d %v", s.name, key.N.BitLen(), h), func(t *testing.T) { f(t, s, key, h) })
			}
		}
	}
}

func TestSignaturesVerifyAsInCryptoRSA(t *testing.T) {
	each(t, func(t *testing.T, s scheme, key *stdrsa.PrivateKey, h crypto.Hash) {
		for i := range 3 {
			d := digest(h, fmt.Sprint("message ", i))
			sig, err := s.sign(key, h, d)
			require.NoError(t, err)
			assert.True(t, s.agree(t, &key.PublicKey, h, d, sig))
			for _, other := range hashes {
				assert.Equal(t, other == h, s.agree(t, &key.PublicKey, other, digest(other, fmt.Sprint("message ", i)), sig))
			}
			for _, other := range schemes {
				assert.Equal(t, other.name == s.name, other.agree(t, &key.PublicKey, h, d, sig), other.name)
			}
		}
	})
}

func TestMutatedSignaturesVerifyAsInCryptoRSA(t *testing.T) {
	for _, s := range schemes {
		t.Run(s.name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				key := rapid.SampledFrom(keys()).Draw(rt, "key")
				h := rapid.SampledFrom(hashes).Draw(rt, "hash")
				d := digest(h, "message")
				sig, err := s.sign(key, h, d)
				require.NoError(rt, err)
				flipped := sig
				if rapid.IntRange(0, 3).Draw(rt, "digest") == 0 {
					flipped = d
				}
				bit := rapid.IntRange(0, 8*len(flipped)-1).Draw(rt, "bit")
				flipped[bit/8] ^= 1 << (bit % 8)
				assert.False(rt, s.agree(rt, &key.PublicKey, h, d, sig))
			})
		})
	}
}

// TestEncodedMessagesVerifyAsInCryptoRSA signs, with the private key itself, messages that are
// nearly encoded as they should be: what a check of the padding would accept by mistake.
func TestEncodedMessagesVerifyAsInCryptoRSA(t *testing.T) {
	each(t, func(t *testing.T, s scheme, key *stdrsa.PrivateKey, h crypto.Hash) {
		d := digest(h, "message")
		sig, err := s.sign(key, h, d)
		require.NoError(t, err)
		e := big.NewInt(int64(key.E))
		encoded := new(big.Int).Exp(new(big.Int).SetBytes(sig), e, key.N)
		sign := func(em *big.Int) []byte {
			em.Mod(em, key.N)
			return em.Exp(em, key.D, key.N).FillBytes(make([]byte, key.Size()))
		}
		require.True(t, s.agree(t, &key.PublicKey, h, d, sign(new(big.Int).Set(encoded))))
		for bit := 0; bit < key.N.BitLen(); bit += 37 {
			em := new(big.Int).SetBit(encoded, bit, encoded.Bit(bit)^1)
			assert.False(t, s.agree(t, &key.PublicKey, h, d, sign(em)), "bit %d", bit)
		}
		for _, salt := range []int{0, 1, h.Size() - 1, h.Size() + 1} { // PSS with another salt's length
			// SaltLength 0 stands for the longest salt that fits.
			sig, err := stdrsa.SignPSS(rand.Reader, key, h, d, &stdrsa.PSSOptions{SaltLength: salt})
			require.NoError(t, err)
			assert.False(t, s.agree(t, &key.PublicKey, h, d, sig), "a salt of %d bytes", salt)
		}
	})
}

func TestPaddingOfPKCS1IsComplete(t *testing.T) {
	key, h := keys()[0], crypto.SHA256
	d := digest(h, "message")
	sig, err := stdrsa.SignPKCS1v15(nil, key, h, d)
	require.NoError(t, err)
	em := new(big.Int).Exp(new(big.Int).SetBytes(sig), big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, key.Size()))
	info := em[len(em)-51:] // DigestInfo
	forge := func(parts ...[]byte) []byte {
		var out []byte
		for _, p := range parts {
			out = append(out, p...)
		}
		out = append(out, make([]byte, key.Size()-len(out))...) // bytes after the digest
		return new(big.Int).Exp(new(big.Int).SetBytes(out), key.D, key.N).FillBytes(make([]byte, key.Size()))
	}
	ff := func(n int) []byte { return em[2:][:n] }
	for name, sig := range map[string][]byte{
		"short padding, bytes after the digest (CVE-2006-4339)": forge([]byte{0, 1}, ff(8), []byte{0}, info),
		"no padding":               forge([]byte{0, 1, 0}, info),
		"block type 2":             forge([]byte{0, 2}, em[2:]),
		"a digest without its DER": forge([]byte{0, 1}, ff(key.Size()-35), []byte{0}, d),
		"parameters absent (RFC 8017 §A.2.4)": forge([]byte{0, 1}, ff(key.Size()-52), []byte{0},
			[]byte("\x30\x2f\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x04\x20"), d),
	} {
		assert.False(t, schemes[0].agree(t, &key.PublicKey, h, d, sig), name)
	}
	assert.True(t, schemes[0].agree(t, &key.PublicKey, h, d, forge([]byte{0, 1}, ff(key.Size()-54), []byte{0}, info)))
}

func TestRangesAndWidths(t *testing.T) {
	for _, s := range schemes {
		key, h := keys()[0], crypto.SHA256
		d := digest(h, "message")
		sig, err := s.sign(key, h, d)
		require.NoError(t, err)
		n := key.N.Bytes()
		assert.True(t, s.ours(n, key.E, h, d, sig))
		above := new(big.Int).Add(new(big.Int).SetBytes(sig), key.N)
		for name, sig := range map[string][]byte{
			"empty": {}, "a byte less": sig[1:], "a byte more": append([]byte{0}, sig...), "a byte after": append(sig[:len(sig):len(sig)], 0),
			"the modulus": n, "zero": make([]byte, len(n)), "all bits": ones(len(n)), "above the modulus": above.Bytes(),
			"one": append(make([]byte, len(n)-1), 1), "modulus - 1": new(big.Int).Sub(key.N, big.NewInt(1)).Bytes(),
		} {
			assert.False(t, s.agree(t, &key.PublicKey, h, d, sig), name)
		}
		for _, e := range []int{-3, -1, 0, 1, 2, 3, 4, 65536, 65538, 1<<31 - 1} {
			assert.False(t, s.ours(n, e, h, d, sig), "e = %d", e)
		}
		even := append([]byte(nil), n...)
		even[len(even)-1] &^= 1
		for name, n := range map[string][]byte{
			"nil": nil, "0": {0}, "1": {1}, "3": {3}, "even": even, "a leading zero": append([]byte{0}, n...),
			"above the limit": ones(rsa.MaxBits/8 + 1), "too short for a digest": ones(40),
		} {
			assert.False(t, s.ours(n, key.E, h, d, sig), name)
			assert.False(t, s.ours(n, key.E, h, d, make([]byte, len(n))), name)
		}
		for _, size := range []int{0, 1, 31, 33} {
			assert.False(t, s.ours(n, key.E, h, make([]byte, size), sig), "a digest of %d bytes", size)
		}
	}
}

func ones(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = 0xff
	}
	return out
}

// TestEveryExponentVerifiesAsInCryptoRSA covers exponents with other bits than 65537's two.
func TestEveryExponentVerifiesAsInCryptoRSA(t *testing.T) {
	base := keys()[0]
	p1, one := new(big.Int).Set(base.Primes[0]), big.NewInt(1)
	q1 := new(big.Int).Set(base.Primes[1])
	phi := new(big.Int).Mul(p1.Sub(p1, one), q1.Sub(q1, one))
	found := 0
	for _, e := range []int{3, 5, 7, 11, 13, 17, 257, 65539, 1<<30 + 3, 1<<31 - 1, 0x55555555, 0x7ffffffd} {
		d := new(big.Int).ModInverse(big.NewInt(int64(e)), phi)
		if d == nil {
			continue // not coprime with this key
		}
		found++
		hash := digest(crypto.SHA256, "message")
		sig, err := schemes[0].sign(base, crypto.SHA256, hash)
		require.NoError(t, err)
		em := new(big.Int).Exp(new(big.Int).SetBytes(sig), big.NewInt(int64(base.E)), base.N)
		sig = em.Exp(em, d, base.N).FillBytes(make([]byte, base.Size()))
		assert.True(t, schemes[0].agree(t, &stdrsa.PublicKey{N: base.N, E: e}, crypto.SHA256, hash, sig), "e = %d", e)
	}
	assert.Greater(t, found, 3)
}

func BenchmarkVerify(b *testing.B) {
	key, h := keys()[0], crypto.SHA256
	d, n := digest(h, "message"), key.N.Bytes()
	for _, s := range schemes {
		sig, err := s.sign(key, h, d)
		require.NoError(b, err)
		b.Run(s.name, func(b *testing.B) {
			for b.Loop() {
				s.ours(n, key.E, h, d, sig)
			}
		})
		b.Run(s.name+" by crypto rsa", func(b *testing.B) {
			for b.Loop() {
				_ = s.standard(&key.PublicKey, h, d, sig)
			}
		})
	}
}
