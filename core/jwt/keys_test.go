package jwt_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"slices"
	"strings"
	"testing"

	"gatehouse/core/jwks"
	"gatehouse/core/jwt"
	"gatehouse/core/reason"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// octSet makes a set of HMAC keys. Each is given as kid, secret and further members.
func octSet(t *testing.T, keys ...[3]string) *jwks.Set {
	var docs []string
	for _, k := range keys {
		kid := ""
		if k[0] != "" {
			kid = `"kid":"` + k[0] + `",`
		}
		docs = append(docs, `{"kty":"oct",`+kid+`"k":"`+b64(k[1])+`"`+k[2]+`}`)
	}
	set, err := jwks.Parse([]byte(`{"keys":[` + strings.Join(docs, ",") + `]}`))
	require.NoError(t, err)
	return set
}

func TestWhichKeysFit(t *testing.T) {
	secret := string(issuerKeys()["secret"].([]byte))
	other := strings.Repeat("o", 64)
	short := strings.Repeat("s", 32) // enough for HS256 alone
	for name, c := range map[string]struct {
		want reason.Reason
		alg  jwt.Alg
		kid  string
		keys [][3]string
	}{
		"one":                             {reason.None, jwt.HS256, "", [][3]string{{"a", secret, ""}}},
		"two, no kid":                     {reason.None, jwt.HS256, "", [][3]string{{"a", secret, ""}, {"b", other, ""}}},
		"two, a kid":                      {reason.None, jwt.HS256, "a", [][3]string{{"a", secret, ""}, {"b", other, ""}}},
		"two of this kid":                 {reason.None, jwt.HS256, "a", [][3]string{{"a", secret, ""}, {"a", other, ""}}},
		"two of this kid, the second":     {reason.None, jwt.HS256, "a", [][3]string{{"a", other, ""}, {"a", secret, ""}}},
		"another kid has made it":         {reason.InvalidSignature, jwt.HS256, "b", [][3]string{{"a", secret, ""}, {"b", other, ""}}},
		"no key has made it":              {reason.InvalidSignature, jwt.HS256, "", [][3]string{{"a", other, ""}, {"b", other + "2", ""}}},
		"two, alg tells them":             {reason.None, jwt.HS256, "", [][3]string{{"a", secret, `,"alg":"HS256"`}, {"b", other, `,"alg":"HS512"`}}},
		"two of this kid, alg tells them": {reason.None, jwt.HS256, "a", [][3]string{{"a", other, `,"alg":"HS512"`}, {"a", secret, `,"alg":"HS256"`}}},
		"alg says otherwise":              {reason.UnknownKey, jwt.HS256, "a", [][3]string{{"a", secret, `,"alg":"HS512"`}}},
		"use says otherwise":              {reason.UnknownKey, jwt.HS256, "a", [][3]string{{"a", secret, `,"use":"enc"`}}},
		"key_ops says otherwise":          {reason.UnknownKey, jwt.HS256, "a", [][3]string{{"a", secret, `,"key_ops":["sign"]`}}},
		"key_ops includes it":             {reason.None, jwt.HS256, "a", [][3]string{{"a", secret, `,"key_ops":["sign","verify"],"use":"sig"`}}},
		"too short for HS384":             {reason.UnknownKey, jwt.HS384, "a", [][3]string{{"a", short, ""}}},
		"too short for HS512":             {reason.UnknownKey, jwt.HS512, "a", [][3]string{{"a", secret[:63], ""}}},
		"one is too short":                {reason.None, jwt.HS512, "", [][3]string{{"a", secret, ""}, {"b", short, ""}}},
		"the key has no kid":              {reason.UnknownKey, jwt.HS256, "a", [][3]string{{"", secret, ""}}},
		"the key has no kid, nor has it":  {reason.None, jwt.HS256, "", [][3]string{{"", secret, ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			h := `{"alg":"` + c.alg.String() + `"}`
			if c.kid != "" {
				h = `{"alg":"` + c.alg.String() + `","kid":"` + c.kid + `"}`
			}
			v := jwt.New([]jwt.Rules{testRules()}, fixedKeys{octSet(t, c.keys...)}, nil, 16384)
			assert.Equal(t, c.want.String(), v.Verify(mint(c.alg, h, goodPayload), testNow).Reason.String())
		})
	}
}

// TestAtMostFourKeysAreTried draws sets of keys, some of which share a kid or don't fit. jwx says
// which of them made the signature.
func TestAtMostFourKeysAreTried(t *testing.T) {
	ours := string(issuerKeys()["secret"].([]byte))
	rapid.Check(t, func(rt *rapid.T) {
		kid := rapid.SampledFrom([]string{"", "a", "b"}).Draw(rt, "kid")
		h := `{"alg":"HS256","kid":"` + kid + `"}`
		token := mint(jwt.HS256, h, goodPayload)
		want, tries := reason.UnknownKey, 0
		var keys [][3]string
		for i := range rapid.IntRange(0, 8).Draw(rt, "keys") {
			id := rapid.SampledFrom([]string{"", "a", "b"}).Draw(rt, "id")
			more := rapid.SampledFrom([]string{"", `,"alg":"HS256"`, `,"alg":"HS512"`}).Draw(rt, "more")
			secret := strings.Repeat(string(rune('c'+i)), 64)
			if rapid.IntRange(0, 5).Draw(rt, "ours") == 0 {
				secret = ours
			}
			key := [3]string{id, secret, more}
			if slices.Contains(keys, key) {
				continue
			}
			keys = append(keys, key)
			if kid != "" && id != kid || strings.Contains(more, "512") || want == reason.None || tries == 4 {
				continue
			}
			tries++
			want = reason.InvalidSignature
			if _, err := jws.Verify([]byte(token), jws.WithKey(jwa.HS256(), []byte(secret))); err == nil {
				want = reason.None
			}
		}
		v := jwt.New([]jwt.Rules{testRules()}, fixedKeys{octSet(t, keys...)}, nil, 16384)
		res := v.Verify(token, testNow)
		require.Equal(rt, want.String(), res.Reason.String(), "%q %q", kid, keys)
	})
}

func TestAfterARefetchOnlyNewKeysAreTried(t *testing.T) {
	ours := string(issuerKeys()["secret"].([]byte))
	old := strings.Repeat("o", 64)
	token := mint(jwt.HS256, `{"alg":"HS256","kid":"a"}`, goodPayload)
	before := octSet(t, [3]string{"a", old, ""})
	keys := fixedKeys{before}
	v := jwt.New([]jwt.Rules{testRules()}, keys, nil, 16384)
	res := v.Verify(token, testNow)
	require.Equal(t, reason.InvalidSignature, res.Reason)
	require.Same(t, before, res.Set)

	retry := func(set *jwks.Set, tried *jwks.Set) reason.Reason {
		keys[0] = set
		return v.VerifyNewKeys(token, tried, testNow).Reason
	}
	assert.Equal(t, reason.InvalidSignature, retry(before, before), "the set is the same")
	assert.Equal(t, reason.InvalidSignature, retry(octSet(t, [3]string{"a", old, ""}), before), "a copy of it")
	assert.Equal(t, reason.None, retry(octSet(t, [3]string{"a", old, ""}, [3]string{"a", ours, ""}), before))
	assert.Equal(t, reason.None, retry(octSet(t, [3]string{"a", ours, ""}), before))
	assert.Equal(t, reason.UnknownKey, retry(octSet(t, [3]string{"b", ours, ""}), before))
	assert.Equal(t, reason.KeysUnavailable, retry(nil, before))
	// A key that was tried isn't tried again, even if it has made the signature.
	good := octSet(t, [3]string{"a", ours, ""})
	assert.Equal(t, reason.InvalidSignature, retry(good, good))
	// Four keys that were tried leave room for four new ones.
	many := [][3]string{{"a", strings.Repeat("p", 64), ""}, {"a", strings.Repeat("q", 64), ""}, {"a", strings.Repeat("r", 64), ""}, {"a", strings.Repeat("s", 64), ""}}
	four := octSet(t, many...)
	assert.Equal(t, reason.InvalidSignature, retry(four, nil))
	assert.Equal(t, reason.InvalidSignature, retry(octSet(t, append(many, [3]string{"a", ours, ""})...), nil))
	assert.Equal(t, reason.None, retry(octSet(t, append(many, [3]string{"a", ours, ""})...), four))
}

func TestFitsAsksForOneAlgorithmOfTheSet(t *testing.T) {
	short := octSet(t, [3]string{"a", strings.Repeat("s", 32), ""}).Keys[0]
	bound := octSet(t, [3]string{"a", strings.Repeat("s", 64), `,"alg":"HS512"`}).Keys[0]
	for _, c := range []struct {
		set  jwt.AlgSet
		key  *jwks.Key
		want bool
	}{
		{0, short, false},
		{jwt.NewAlgSet(jwt.HS256), short, true},
		{jwt.NewAlgSet(jwt.HS384, jwt.HS512), short, false},
		{jwt.NewAlgSet(jwt.RS256, jwt.ES256), short, false},
		{jwt.NewAlgSet(jwt.HS256, jwt.HS384), bound, false},
		{everyAlg(), bound, true},
	} {
		assert.Equal(t, c.want, c.set.Fits(c.key))
	}
}

func TestAPublicKeyIsNoHMACSecret(t *testing.T) {
	// The attack on verifiers that take the key's bytes as they are: HS256 with the RSA key's own
	// text as secret.
	for _, kid := range []string{`,"kid":"rsa"`, `,"kid":"p256"`, `,"kid":"ed"`} {
		token := mint(jwt.HS256, `{"alg":"HS256"`+kid+`}`, goodPayload)
		assert.Equal(t, reason.UnknownKey, verifier(testRules()).Verify(token, testNow).Reason)
	}
}

func TestPSSWantsTheSaltOfRFC7518(t *testing.T) {
	key := issuerKeys()["rsa"].(*rsa.PrivateKey)
	input := b64(header(jwt.PS256, "")) + "." + b64(goodPayload)
	digest := sha256.Sum256([]byte(input))
	for salt, want := range map[int]reason.Reason{32: reason.None, 20: reason.InvalidSignature, 64: reason.InvalidSignature, rsa.PSSSaltLengthAuto: reason.InvalidSignature} {
		sig, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: salt})
		require.NoError(t, err)
		assert.Equal(t, want, verifier(testRules()).Verify(input+"."+b64(string(sig)), testNow).Reason, "%d", salt)
	}
}

func TestProvidersWithTheSameKidNeverCrossOver(t *testing.T) {
	ours := string(issuerKeys()["secret"].([]byte))
	theirs := strings.Repeat("t", 64)
	a, b := testRules(), testRules()
	b.Name, b.Issuer, b.Audiences = "other", "https://other.example", []string{"else"}
	v := jwt.New([]jwt.Rules{a, b}, fixedKeys{octSet(t, [3]string{"k", ours, ""}), octSet(t, [3]string{"k", theirs, ""})}, nil, 16384)
	h := `{"alg":"HS256","kid":"k"}`
	res := v.Verify(mint(jwt.HS256, h, goodPayload), testNow)
	assert.Equal(t, reason.None, res.Reason)
	assert.Equal(t, 0, res.Provider)
	// Signed by the first provider's key in the other's name:
	res = v.Verify(mint(jwt.HS256, h, strings.Replace(payload(t, "aud", `"else"`), "idp.example", "other.example", 1)), testNow)
	assert.Equal(t, reason.InvalidSignature, res.Reason)
	assert.Equal(t, 1, res.Provider)
}
