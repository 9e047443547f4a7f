package jwks_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"gatehouse/core/jwks"

	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var (
	testRSA = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	testEC  = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// members is a JWK as a map, so that a test can spoil it.
type members map[string]any

func (m members) with(name string, v any) members {
	out := members{}
	for k, old := range m {
		out[k] = old
	}
	if out[name] = v; v == nil {
		delete(out, name)
	}
	return out
}

// jwkOf has jwx write the public key, so that what we read isn't of our own making.
func jwkOf(t *testing.T, pub crypto.PublicKey) members {
	k, err := jwk.Import(pub)
	require.NoError(t, err)
	doc, err := json.Marshal(k)
	require.NoError(t, err)
	var m members
	require.NoError(t, json.Unmarshal(doc, &m))
	return m
}

func set(t *testing.T, keys ...any) []byte {
	doc, err := json.Marshal(members{"keys": keys})
	require.NoError(t, err)
	return doc
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func TestKeysOfEveryTypeAreRead(t *testing.T) {
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	p521 := must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	secret := make([]byte, 32)
	s, err := jwks.Parse(set(t,
		jwkOf(t, &testRSA().PublicKey).with("kid", "r").with("use", "sig").with("alg", "PS256"),
		jwkOf(t, &testEC().PublicKey).with("key_ops", []string{"sign", "verify"}),
		jwkOf(t, &p384.PublicKey), jwkOf(t, &p521.PublicKey), jwkOf(t, ed),
		members{"kty": "oct", "k": b64(secret), "kid": "h"},
	))
	require.NoError(t, err)
	require.Empty(t, s.Skipped)
	require.Len(t, s.Keys, 6)

	r := s.Keys[0]
	assert.Equal(t, "r", r.ID)
	assert.Equal(t, "PS256", r.Alg)
	assert.Equal(t, jwks.RSA, r.Type)
	assert.Equal(t, testRSA().N.Bytes(), r.N)
	assert.Equal(t, testRSA().E, r.E)
	for i, want := range map[int]struct {
		typ   jwks.Type
		curve jwks.Curve
		pub   *ecdsa.PublicKey
	}{1: {jwks.EC, jwks.P256, &testEC().PublicKey}, 2: {jwks.EC, jwks.P384, &p384.PublicKey}, 3: {jwks.EC, jwks.P521, &p521.PublicKey}} {
		k := s.Keys[i]
		assert.Equal(t, want.typ, k.Type)
		assert.Equal(t, want.curve, k.Curve)
		point, err := want.pub.Bytes()
		require.NoError(t, err)
		assert.Equal(t, point, append(append([]byte{4}, k.X...), k.Y...))
	}
	assert.Equal(t, []byte(ed), s.Keys[4].X)
	assert.Equal(t, jwks.Ed25519, s.Keys[4].Curve)
	assert.Equal(t, secret, s.Keys[5].Secret)
}

func TestSubjectPublicKeyInfoIsThatOfX509(t *testing.T) {
	for _, pub := range []crypto.PublicKey{
		&testRSA().PublicKey,
		&rsa.PublicKey{N: testRSA().N, E: 3},
		&rsa.PublicKey{N: testRSA().N, E: 0x7fffffff},
		&must(rsa.GenerateKey(rand.Reader, 3072)).PublicKey,
		&must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)).PublicKey,
		&must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)).PublicKey,
		&must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)).PublicKey,
	} {
		want, err := x509.MarshalPKIXPublicKey(pub)
		require.NoError(t, err)
		s, err := jwks.Parse(set(t, jwkOf(t, pub)))
		require.NoError(t, err)
		require.Len(t, s.Keys, 1)
		assert.Equal(t, want, s.Keys[0].SPKI)
	}
}

func TestKeysThatCannotVerifyAreSkippedAndSaidWhy(t *testing.T) {
	r, e := jwkOf(t, &testRSA().PublicKey), jwkOf(t, &testEC().PublicKey)
	oct := members{"kty": "oct", "k": b64(make([]byte, 64))}
	okp := okp(ed25519Of(1))
	modulus := func(bits int) string {
		return b64(new(big.Int).SetBit(big.NewInt(1), bits-1, 1).Bytes())
	}
	x, y := e["x"].(string), e["y"].(string)
	for name, c := range map[string]struct {
		key any
		why string
	}{
		"a number":                    {7, "not a JSON object"},
		"null":                        {nil, "not a JSON object"},
		"no kty":                      {members{}, "unknown kty"},
		"another kty":                 {r.with("kty", "AKP"), "unknown kty"},
		"kty in the wrong case":       {r.with("kty", "rsa"), "unknown kty"},
		"kty a number":                {r.with("kty", 1), "kty is not a string"},
		"kid a number":                {r.with("kid", 1), "kid is not a string"},
		"kid too long":                {r.with("kid", strings.Repeat("k", 257)), "kid is too long"},
		"use enc":                     {r.with("use", "enc"), "use is not sig"},
		"use unknown":                 {r.with("use", "Sig"), "use is not sig"},
		"key_ops without verify":      {r.with("key_ops", []string{"encrypt", "sign"}), "key_ops lacks verify"},
		"kty null":                    {json.RawMessage(`{"kty":null}`), "unknown kty"},
		"n null":                      {r.with("n", json.RawMessage("null")), "n or e is not base64url"},
		"crv null":                    {e.with("crv", json.RawMessage("null")), "unknown crv"},
		"crv a number":                {e.with("crv", 1), "crv is not a string"},
		"x a number":                  {okp.with("x", 1), "x is not a string"},
		"alg a list":                  {r.with("alg", []string{"RS256"}), "alg is not a string"},
		"key_ops with null":           {r.with("key_ops", []any{nil}), "key_ops is not a list of strings"},
		"key_ops of an empty string":  {r.with("key_ops", []string{""}), "key_ops lacks verify"},
		"alg Ed25519 of another type": {e.with("alg", "Ed25519"), "alg is not one for signatures with this kind of key"},
		"alg Ed448":                   {okp.with("alg", "Ed448"), "alg is not one for signatures with this kind of key"},
		"key_ops a string":            {r.with("key_ops", "verify"), "key_ops is not a list of strings"},
		"key_ops of numbers":          {r.with("key_ops", []any{"verify", 1}), "key_ops is not a list of strings"},
		"alg for encryption":          {r.with("alg", "RSA-OAEP"), "alg is not one for signatures with this kind of key"},
		"alg of another type":         {r.with("alg", "HS256"), "alg is not one for signatures with this kind of key"},
		"alg of another curve":        {e.with("alg", "ES384"), "alg is not one for signatures with this kind of key"},
		"alg none":                    {oct.with("alg", "none"), "alg is not one for signatures with this kind of key"},
		"RSA 2047 bits":               {r.with("n", modulus(2047)), "RSA key below 2048 bits"},
		"RSA 2047 bits, zeros before": {r.with("n", b64(append(make([]byte, 32), new(big.Int).SetBit(big.NewInt(1), 2046, 1).Bytes()...))), "RSA key below 2048 bits"},
		"RSA 8193 bits":               {r.with("n", modulus(8193)), "RSA key above 8192 bits"},
		"RSA even":                    {r.with("n", b64(new(big.Int).Lsh(big.NewInt(1), 2047).Bytes())), "RSA modulus is even"},
		"RSA without n":               {r.with("n", nil), "n or e is not base64url"},
		"RSA without e":               {r.with("e", nil), "n or e is not base64url"},
		"RSA n zero":                  {r.with("n", "AA"), "RSA key below 2048 bits"},
		"RSA e zero":                  {r.with("e", "AA"), "RSA exponent is even, below 3 or above 31 bits"},
		"RSA e 1":                     {r.with("e", "AQ"), "RSA exponent is even, below 3 or above 31 bits"},
		"RSA e 2":                     {r.with("e", "Ag"), "RSA exponent is even, below 3 or above 31 bits"},
		"RSA e even":                  {r.with("e", "AQAA"), "RSA exponent is even, below 3 or above 31 bits"},
		"RSA e 2^31 + 1":              {r.with("e", "gAAAAQ"), "RSA exponent is even, below 3 or above 31 bits"},
		"RSA e 2^32 + 1":              {r.with("e", "AQAAAAE"), "RSA exponent is even, below 3 or above 31 bits"},
		"RSA n padded":                {r.with("n", r["n"].(string)+"=="), "n or e is not base64url"},
		"RSA n in plain base64":       {r.with("n", "+/+/"), "n or e is not base64url"},
		"EC without crv":              {e.with("crv", nil), "unknown crv"},
		"EC secp256k1":                {e.with("crv", "secp256k1"), "unknown crv"},
		"EC of another curve":         {e.with("crv", "P-384"), "x or y is not as wide as the field"},
		"EC off the curve":            {e.with("x", y).with("y", x), "point is not on its curve"},
		"EC infinity":                 {e.with("x", b64(make([]byte, 32))).with("y", b64(make([]byte, 32))), "point is not on its curve"},
		"EC without y":                {e.with("y", nil), "x or y is not as wide as the field"},
		"EC x short":                  {e.with("x", x[4:]), "x or y is not as wide as the field"},
		"EC x with a line break":      {e.with("x", x+"\n"), "x or y is not base64url"},
		"OKP X25519":                  {okp.with("crv", "X25519"), "unknown crv"},
		"OKP Ed448":                   {okp.with("crv", "Ed448"), "unknown crv"},
		"OKP short":                   {okp.with("x", b64(make([]byte, 31))), "x is not 32 bytes of base64url"},
		"oct empty":                   {oct.with("k", ""), "secret below 32 bytes"},
		"oct 31 bytes":                {oct.with("k", b64(make([]byte, 31))), "secret below 32 bytes"},
		"oct not base64url":           {oct.with("k", "a"), "k is not base64url"},
		"oct with stray bits":         {oct.with("k", strings.Repeat("A", 42)+"B"), "k is not base64url"},
		"a repetition":                {e.with("kid", "good"), "repeats another key"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := jwks.Parse(set(t, e.with("kid", "good"), c.key))
			require.NoError(t, err)
			require.Len(t, s.Keys, 1, "the good key stays")
			require.Len(t, s.Skipped, 1)
			assert.Equal(t, 1, s.Skipped[0].Index)
			assert.Equal(t, c.why, s.Skipped[0].Why)
		})
	}
}

func TestUnreadableSetsAreErrors(t *testing.T) {
	many := make([]any, jwks.MaxKeys+1)
	for i := range many {
		many[i] = 0
	}
	for name, c := range map[string]struct{ doc, err string }{
		"nothing":               {"", "JWK Set is not a JSON object"},
		"a list":                {"[]", "JWK Set is not a JSON object"},
		"no keys":               {"{}", `JWK Set has no "keys" array`},
		"a lone JWK":            {`{"kty":"oct","k":"AAAA"}`, `JWK Set has no "keys" array`},
		"keys null":             {`{"keys":null}`, `JWK Set has no "keys" array`},
		"keys an object":        {`{"keys":{}}`, `JWK Set has no "keys" array`},
		"keys twice":            {`{"keys":[],"keys":[]}`, "JWK Set is not strict JSON"},
		"a member twice":        {`{"keys":[{"kty":"oct","kty":"RSA"}]}`, "JWK Set is not strict JSON"},
		"truncated":             {`{"keys":[`, "JWK Set is not strict JSON"},
		"invalid UTF-8":         {"{\"keys\":[\"\xff\"]}", "JWK Set is not strict JSON"},
		"an HTML page":          {"<html>", "JWK Set is not a JSON object"},
		"something behind":      {`{"keys":[]} {}`, "data after the JWK Set"},
		"too deep":              {`{"keys":[` + strings.Repeat("[", 15) + strings.Repeat("]", 15) + `]}`, "JWK Set is nested too deeply"},
		"too large":             {`{"keys":[]` + strings.Repeat(" ", jwks.MaxBytes) + `}`, "JWK Set is too large"},
		"too many keys":         {string(set(t, many...)), "JWK Set has too many keys"},
		"keys by an escape too": {`{"keys":[],"\u006beys":[]}`, "JWK Set is not strict JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := jwks.Parse([]byte(c.doc))
			require.EqualError(t, err, c.err)
			assert.Nil(t, s)
		})
	}
	s, err := jwks.Parse([]byte(` {"other":1,"keys":[]} `))
	require.NoError(t, err)
	assert.Empty(t, s.Keys)
}

// TestNullAndUnusedMembersAreNotRead has members that issuers write although the key doesn't need
// them.
func TestNullAndUnusedMembersAreNotRead(t *testing.T) {
	null := json.RawMessage("null")
	keys := map[string]members{
		"RSA": jwkOf(t, &testRSA().PublicKey),
		"EC":  jwkOf(t, &testEC().PublicKey),
		"OKP": okp(ed25519Of(1)),
		"oct": {"kty": "oct", "k": b64(make([]byte, 64))},
	}
	used := map[string][]string{"RSA": {"n", "e"}, "EC": {"crv", "x", "y"}, "OKP": {"crv", "x"}, "oct": {"k"}}
	for kty, key := range keys {
		t.Run(kty, func(t *testing.T) {
			want, err := jwks.Parse(set(t, key))
			require.NoError(t, err)
			require.Len(t, want.Keys, 1)
			same := func(k members) {
				got, err := jwks.Parse(set(t, k))
				require.NoError(t, err)
				require.Len(t, got.Keys, 1, "%v", got.Skipped)
				assert.True(t, want.Keys[0].Equal(got.Keys[0]))
			}
			for _, name := range []string{"alg", "use", "key_ops", "kid", "issuer", "x5c", "x5t"} {
				same(key.with(name, null))
			}
			same(key.with("key_ops", []string{}))
			same(key.with("key_ops", []string{"verify"}))
			for _, name := range []string{"crv", "n", "e", "x", "y", "k"} {
				if slices.Contains(used[kty], name) {
					continue
				}
				for _, value := range []any{null, 7, "", "+/=", []int{1}, members{"a": 1}, true} {
					same(key.with(name, value))
				}
			}
		})
	}
}

func TestEd25519IsEdDSA(t *testing.T) {
	a, err := jwks.Parse(set(t, okp(ed25519Of(1)).with("alg", "Ed25519"), okp(ed25519Of(1)).with("alg", "EdDSA")))
	require.NoError(t, err)
	require.Len(t, a.Keys, 1)
	assert.Equal(t, "EdDSA", a.Keys[0].Alg)
	require.Len(t, a.Skipped, 1)
	assert.Equal(t, "repeats another key", a.Skipped[0].Why)
}

func TestTheIssuerOfAKeyIsKept(t *testing.T) {
	e := jwkOf(t, &testEC().PublicKey)
	for value, want := range map[any]string{
		"https://login.example/{tenantid}/v2.0": "https://login.example/{tenantid}/v2.0", "": "", 7: "?", true: "?",
	} {
		s, err := jwks.Parse(set(t, e.with("issuer", value)))
		require.NoError(t, err)
		require.Len(t, s.Keys, 1)
		assert.Equal(t, want, s.Keys[0].Issuer, "%v", value)
	}
}

func TestUnknownMembersArePassedOver(t *testing.T) {
	k := jwkOf(t, &testEC().PublicKey).with("x5c", []string{"MIIB"}).with("x5t", 7).with("exp", 1).with("d", 7).with("ext", true)
	s, err := jwks.Parse(set(t, k))
	require.NoError(t, err)
	assert.Len(t, s.Keys, 1)
	assert.Empty(t, s.Skipped)
}

func TestEqualComparesEverythingThatCounts(t *testing.T) {
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	other := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	e := jwkOf(t, &testEC().PublicKey)
	oct := members{"kty": "oct", "k": b64(make([]byte, 64))}
	keys := []any{
		e, e.with("issuer", "i"), e.with("kid", "a"), e.with("kid", "b"), e.with("alg", "ES256"), jwkOf(t, &other.PublicKey), jwkOf(t, &p384.PublicKey),
		jwkOf(t, &testRSA().PublicKey), jwkOf(t, &rsa.PublicKey{N: testRSA().N, E: 3}),
		oct, oct.with("k", b64(make([]byte, 65))), oct.with("alg", "HS256"),
		okp(ed25519Of(1)), okp(ed25519Of(2)),
	}
	a, err := jwks.Parse(set(t, keys...))
	require.NoError(t, err)
	b, err := jwks.Parse(set(t, keys...))
	require.NoError(t, err)
	require.Len(t, a.Keys, len(keys))
	for i := range keys {
		for j := range keys {
			assert.Equal(t, i == j, a.Keys[i].Equal(b.Keys[j]), "%d %d", i, j)
		}
	}
}

func TestBase64URLHasOneSpelling(t *testing.T) {
	for s, want := range map[string]string{"": "", "AA": "\x00", "AAA": "\x00\x00", "AAAA": "\x00\x00\x00", "_-8": "\xff\xef"} {
		got, err := jwks.AppendBase64URL(nil, s)
		require.NoError(t, err, s)
		assert.Equal(t, want, string(got))
	}
	for _, s := range []string{"A", "AAAAA", "AB", "AAB", "A=", "AA=", "AA==", "AAA=", "AAAA=", "A A", "AA\n", "\nAA", "AA\r", "A\r\nA",
		"+/+/", "AA.", "AAé", "AA\x00", " ", "="} {
		_, err := jwks.AppendBase64URL(nil, s)
		assert.Error(t, err, strconv.Quote(s))
	}
	got, err := jwks.AppendBase64URL([]byte("x"), "AAA")
	require.NoError(t, err)
	assert.Equal(t, "x\x00\x00", string(got))
}

// TestBase64URLAgreesWithTheStandardLibrary compares it with the library's strict decoder, which
// only line breaks pass by.
func TestBase64URLAgreesWithTheStandardLibrary(t *testing.T) {
	bytes := rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte("AQgwBC-_x9+/=. \r\n")))
	rapid.Check(t, func(rt *rapid.T) {
		s := base64.RawURLEncoding.EncodeToString(rapid.SliceOf(rapid.Byte()).Draw(rt, "bytes"))
		if rapid.Bool().Draw(rt, "spoil") {
			at := rapid.IntRange(0, len(s)).Draw(rt, "at")
			s = s[:at] + string(rapid.SliceOfN(bytes, 0, 3).Draw(rt, "in place")) + s[min(len(s), at+rapid.IntRange(0, 3).Draw(rt, "of")):]
		}
		want, err := base64.RawURLEncoding.Strict().DecodeString(s)
		got, ours := jwks.AppendBase64URL([]byte("before"), s)
		if err != nil || strings.ContainsAny(s, "\r\n") {
			require.Error(rt, ours)
			return
		}
		require.NoError(rt, ours)
		require.Equal(rt, "before"+string(want), string(got))
	})
}

// FuzzParse holds that a set's keys are usable as they come, and that nothing of it is lost.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"keys":[]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","e":"AQAB","n":"n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","kid":"1","alg":"ES256","use":"sig","key_ops":["verify"],"x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},{"kty":"EC","crv":"P-521"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},{"kty":"oct","k":"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"},1,null]}`))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"\u0041"}],"keys":[]}`))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg","n":1,"crv":null,"alg":null,"use":null,"key_ops":[],"issuer":1}]}`))
	f.Add([]byte(`{"keys":[{"x":1,"k":"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg","kty":"oct","issuer":"https:\/\/a\/{t}","key_ops":null}]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		s, err := jwks.Parse(doc)
		if err != nil {
			return
		}
		var want struct{ Keys []json.RawMessage }
		if err := json.Unmarshal(doc, &want); err != nil || len(want.Keys) != len(s.Keys)+len(s.Skipped) {
			t.Fatalf("%v: %d of %d keys", err, len(s.Keys)+len(s.Skipped), len(want.Keys))
		}
		for _, k := range s.Keys {
			if !k.Equal(k) || len(k.ID) > jwks.MaxKeyID {
				t.Fatalf("%+v", k)
			}
			if k.SPKI != nil {
				if _, err := x509.ParsePKIXPublicKey(k.SPKI); err != nil {
					t.Fatal(err)
				}
			} else if len(k.X) != 32 && len(k.Secret) < jwks.MinSecret {
				t.Fatalf("%+v", k)
			}
		}
	})
}
