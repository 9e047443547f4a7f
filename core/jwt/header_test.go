package jwt_test

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gatehouse/core/jwt"
	"gatehouse/core/reason"
)

// hostMemory is memory that holds one token after another, as a host's may.
type hostMemory [4096]byte

func (m *hostMemory) hold(token string) string {
	n := copy(m[:], token)
	return unsafe.String(&m[0], n)
}

// TestAHeaderIsJudgedAsIfItWereTheFirst lets one Verifier see tokens of two issuers in a row, with
// all sorts of headers. Each verdict must be that of a Verifier that has seen nothing before.
func TestAHeaderIsJudgedAsIfItWereTheFirst(t *testing.T) {
	other := testRules()
	other.Name, other.Issuer, other.Types, other.Algorithms = "other", "https://other.example", []string{"x"}, jwt.NewAlgSet(jwt.EdDSA)
	members := []string{``, `,"typ":"JWT"`, `,"typ":"jwt"`, `,"typ":"x"`, `,"typ":""`, `,"typ":null`, `,"crit":["exp"]`,
		`,"crit":null`, `,"b64":true`, `,"cty":"JWT"`, `,"enc":"A256GCM"`, `,"x":"` + strings.Repeat("a", 1000) + `"`,
		`,"alg":"none"`, `,"\u0061lg":"HS256"`, `,"kid":"ed"`, ` `}
	headers := []string{`{"alg":"none"}`, `{"alg":"HS256"}`, `{"alg":"EdDSA"}`, `{"alg":"hs256"}`, `{}`, `[]`, ``, `{"alg":"HS256","kid":"ed"}`}
	for _, more := range members {
		headers = append(headers, header(jwt.HS256, more), header(jwt.EdDSA, more))
	}
	tokens := rapid.Custom(func(t *rapid.T) string {
		h := rapid.SampledFrom(headers).Draw(t, "header")
		payload := goodPayload
		if rapid.Bool().Draw(t, "of the other") {
			payload = strings.Replace(payload, "idp.example", "other.example", 1)
		}
		signer := rapid.SampledFrom([]jwt.Alg{jwt.HS256, jwt.EdDSA}).Draw(t, "signed with")
		return mint(signer, h, payload)
	})
	valid := 0
	rapid.Check(t, func(t *rapid.T) {
		used, memory := verifier(testRules(), other), new(hostMemory)
		for _, token := range rapid.SliceOfN(tokens, 2, 20).Draw(t, "tokens") {
			want := verifier(testRules(), other).Verify(token, testNow)
			got := used.Verify(memory.hold(token), testNow)
			require.Equal(t, want, got)
			if got.Reason == reason.None {
				valid++
			}
		}
	})
	assert.NotZero(t, valid)
}

// TestARememberedHeaderIsReplaced has headers of the same length: only their bytes differ.
func TestARememberedHeaderIsReplaced(t *testing.T) {
	v, memory := verifier(testRules()), new(hostMemory)
	for range 3 {
		for typ, want := range map[string]reason.Reason{"JWT": reason.None, "JWS": reason.TokenType} {
			for range 2 {
				token := mint(jwt.HS256, header(jwt.HS256, `,"typ":"`+typ+`"`), goodPayload)
				assert.Equal(t, want, v.Verify(memory.hold(token), testNow).Reason, typ)
			}
		}
	}
}
