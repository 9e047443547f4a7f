package jwt_test

import (
	"strings"
	"testing"

	"gatehouse/core/jwt"
	"gatehouse/core/reason"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// swapChar flips the highest of the six bits that the character at i stands for.
func swapChar(s string, i int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return s[:i] + string(alphabet[strings.IndexByte(alphabet, s[i])^32]) + s[i+1:]
}

// TestFormIsStrict gives tokens whose signature holds wherever they have one, so that only the form
// can fail.
func TestFormIsStrict(t *testing.T) {
	v := verifier(testRules())
	hs := jwt.HS256
	good := mint(hs, header(hs, ""), goodPayload)
	require.Equal(t, reason.None, v.Verify(good, testNow).Reason)
	p := parts(good)
	raw := func(header64, payload64 string) string { return signed(hs, header64+"."+payload64) }
	with := func(more string) string { return mint(hs, header(hs, more), goodPayload) }
	deep := strings.Repeat("[", 20) + strings.Repeat("]", 20)
	for name, token := range map[string]string{
		"empty":                           "",
		"a dot":                           ".",
		"two dots":                        "..",
		"one part":                        p[0],
		"two parts":                       p[0] + "." + p[1],
		"four parts":                      good + ".",
		"four parts, the first empty":     "." + good,
		"a JWE's five parts":              p[0] + ".AAAA.AAAA.AAAA.AAAA",
		"no header":                       "." + p[1] + "." + p[2],
		"no payload (detached)":           signed(hs, p[0]+"."),
		"a space before":                  " " + good,
		"a space behind":                  good + " ",
		"a line break behind":             good + "\n",
		"a line break in the header":      raw(p[0][:4]+"\n"+p[0][4:], p[1]),
		"CR LF in the payload":            raw(p[0], p[1][:4]+"\r\n"+p[1][4:]),
		"a line break in the signature":   p[0] + "." + p[1] + "." + p[2][:4] + "\n" + p[2][4:],
		"a padded header":                 raw(b64(header(hs, " "))+"=", p[1]),
		"a padded signature":              good + "=",
		"stray bits in the header":        raw(strayBits(t, header(hs, "")), p[1]),
		"stray bits in the payload":       raw(p[0], strayBits(t, goodPayload)),
		"stray bits in the signature":     p[0] + "." + p[1] + "." + lastChar(p[2]),
		"plain base64":                    p[0] + "." + p[1] + ".+/+/",
		"one character too many":          p[0] + "." + p[1] + "." + p[2] + "AA",
		"an é in the signature":           p[0] + "." + p[1] + ".é",
		"a JSON serialisation":            `{"payload":"` + p[1] + `","protected":"` + p[0] + `","signature":"` + p[2] + `"}`,
		"the header a list":               mint(hs, `["HS256"]`, goodPayload),
		"the header a string":             mint(hs, `"HS256"`, goodPayload),
		"the header cut":                  mint(hs, `{"alg":"HS256"`, goodPayload),
		"something behind the header":     mint(hs, `{"alg":"HS256"} {}`, goodPayload),
		"the header in UTF-16":            mint(hs, "\xff\xfe{\x00}\x00", goodPayload),
		"invalid UTF-8 in the header":     mint(hs, "{\"alg\":\"HS256\",\"x\":\"\xff\"}", goodPayload),
		"a duplicate alg":                 mint(hs, `{"alg":"HS256","alg":"HS256"}`, goodPayload),
		"a duplicate alg by an escape":    mint(hs, `{"alg":"HS256","\u0061lg":"none"}`, goodPayload),
		"a duplicate within jwk":          with(`,"jwk":{"kty":"oct","kty":"RSA"}`),
		"a header nested too deep":        with(`,"x":` + deep),
		"no alg":                          mint(hs, `{"kid":"secret"}`, goodPayload),
		"alg null":                        mint(hs, `{"alg":null}`, goodPayload),
		"alg a list":                      mint(hs, `{"alg":["HS256"]}`, goodPayload),
		"alg a number":                    mint(hs, `{"alg":256}`, goodPayload),
		"kid a number":                    mint(hs, `{"alg":"HS256","kid":1}`, goodPayload),
		"kid null":                        mint(hs, `{"alg":"HS256","kid":null}`, goodPayload),
		"typ a list":                      with(`,"typ":["JWT"]`),
		"typ null":                        with(`,"typ":null`),
		"cty a number":                    with(`,"cty":1`),
		"nested":                          mint(hs, header(hs, `,"cty":"JWT"`), good),
		"nested by its cty alone":         with(`,"cty":"jwt"`),
		"nested by a full media type":     with(`,"cty":"application/JWT"`),
		"nested without a cty":            mint(hs, header(hs, ""), good),
		"enc":                             with(`,"enc":"A256GCM"`),
		"crit naming exp":                 with(`,"crit":["exp"],"exp":1700000060`),
		"crit naming nothing known":       with(`,"crit":["x"],"x":1`),
		"crit empty":                      with(`,"crit":[]`),
		"crit null":                       with(`,"crit":null`),
		"crit by an escape":               with(`,"\u0063rit":["x"]`),
		"b64 false":                       with(`,"crit":["b64"],"b64":false`),
		"b64 true":                        with(`,"b64":true`),
		"b64 null":                        with(`,"b64":null`),
		"the payload a list":              mint(hs, header(hs, ""), `[]`),
		"the payload no JSON":             mint(hs, header(hs, ""), `iss=https://idp.example`),
		"the payload cut":                 mint(hs, header(hs, ""), goodPayload[:len(goodPayload)-1]),
		"something behind the payload":    mint(hs, header(hs, ""), goodPayload+"{}"),
		"a NUL behind the payload":        mint(hs, header(hs, ""), goodPayload+"\x00"),
		"a payload with a BOM":            mint(hs, header(hs, ""), "\ufeff"+goodPayload),
		"invalid UTF-8 in the payload":    mint(hs, header(hs, ""), strings.Replace(goodPayload, "alice", "\xff", 1)),
		"a lone surrogate in the payload": mint(hs, header(hs, ""), strings.Replace(goodPayload, "alice", `\ud800`, 1)),
		"a duplicate claim":               mint(hs, header(hs, ""), `{"sub":"a",`+goodPayload[1:]),
		"a duplicate iss":                 mint(hs, header(hs, ""), `{"iss":"https://idp.example",`+goodPayload[1:]),
		"a duplicate deep in a claim":     mint(hs, header(hs, ""), `{"x":[{"a":1,"a":2}],`+goodPayload[1:]),
		"a payload nested too deep":       mint(hs, header(hs, ""), `{"x":`+deep+","+goodPayload[1:]),
	} {
		assert.Equal(t, reason.MalformedToken.String(), v.Verify(token, testNow).Reason.String(), name)
	}
	for name, more := range map[string]string{
		"unknown members":        `,"x":{"y":[1]},"zip":"DEF"`,
		"embedded keys":          `,"jwk":{"kty":"oct","k":"AAAA"},"jku":"https://evil.example","x5u":1,"x5c":["AAAA"],"x5t":null`,
		"a cty that isn't a JWT": `,"cty":"json"`,
		"typ by an escape":       `,"t\u0079p":"J\u0057T"`,
	} {
		assert.Equal(t, reason.None.String(), v.Verify(with(more), testNow).Reason.String(), name)
	}
}

// strayBits encodes text so that its last character carries bits that decoding would drop.
func strayBits(t *testing.T, text string) string {
	for len(text)%3 == 0 {
		text = " " + text
	}
	s := lastChar(b64(text))
	require.NotEqual(t, b64(text), s)
	return s
}

// lastChar sets the lowest bit of the last character, which is a stray one unless the length is a
// multiple of four.
func lastChar(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return s[:len(s)-1] + string(alphabet[strings.IndexByte(alphabet, s[len(s)-1])|1])
}

func TestSizeIsJudgedBeforeForm(t *testing.T) {
	v := jwt.New([]jwt.Rules{testRules()}, fixedKeys{ourSet()}, nil, 1000)
	assert.Equal(t, reason.MalformedToken, v.Verify(strings.Repeat("a", 1000), testNow).Reason)
	assert.Equal(t, reason.TokenTooLarge, v.Verify(strings.Repeat("a", 1001), testNow).Reason)
	token := mint(jwt.HS256, header(jwt.HS256, ""), goodPayload)
	exact := jwt.New([]jwt.Rules{testRules()}, fixedKeys{ourSet()}, nil, len(token))
	assert.Equal(t, reason.None, exact.Verify(token, testNow).Reason)
}
