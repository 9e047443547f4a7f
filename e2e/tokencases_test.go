package e2e_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/toy"
)

// tokenCases mints the tokens, with users of the listener's own, since both gates share one limit.
func tokenCases(t *testing.T, issuer *toy.Issuer, listener string) []tokenCase {
	t.Helper()
	cases := []tokenCase{}
	add := func(test tokenCase) {
		if test.method == "" {
			test.method = http.MethodGet
		}
		if test.path == "" {
			test.path = "/"
		}
		cases = append(cases, test)
	}
	bearer := func(token string) []string { return []string{"Authorization", "Bearer " + token} }
	user := func() caller { return caller{fmt.Sprintf("user%d-%s", len(cases), listener), "web", "human", "email"} }
	job := func() caller {
		name := fmt.Sprintf("job%d-%s", len(cases), listener)
		return caller{name, name, "machine", "client-id-subject"}
	}
	human := func(who caller) toy.Claims { return issuer.Human(who.user, "orders", time.Hour) }
	machine := func(who caller, scopes ...string) toy.Claims {
		return issuer.Machine(who.client, "orders", time.Hour, scopes...)
	}

	who := user()
	add(tokenCase{name: "a human at a human's", path: "/account/me", headers: bearer(sign(t, issuer, human(who))), who: who, own: admitted(), cached: "miss"})
	who = user()
	add(tokenCase{name: "a human by ES256", headers: bearer(sign(t, issuer, human(who), toy.Algorithm("ES256"))), who: who, own: admitted(), cached: "miss"})
	who = user()
	add(tokenCase{name: "a scheme in another case", headers: []string{"Authorization", "bEARER " + sign(t, issuer, human(who))}, who: who,
		own: admitted(), behind: noToken(), cached: "miss"}) // Envoy compares the prefix with case
	who = job()
	add(tokenCase{name: "a machine with the scope", method: http.MethodPost, path: "/batch/run",
		headers: bearer(sign(t, issuer, machine(who, "jobs/read", "jobs/write"))), who: who, own: admitted(), cached: "miss"})
	who = job()
	add(tokenCase{name: "a machine without the scope", method: http.MethodPost, path: "/batch/run",
		headers: bearer(sign(t, issuer, machine(who, "jobs/read"))), who: who, cached: "miss",
		own: denied("insufficient_scope", "Operation not allowed", `Bearer realm="gatehouse", error="insufficient_scope", scope="jobs/write"`)})
	who = job()
	add(tokenCase{name: "a machine at a human's", path: "/account/me", headers: bearer(sign(t, issuer, machine(who))), who: who, cached: "miss",
		own: denied("human_required", "This endpoint requires human user authentication", "")})
	who = user()
	add(tokenCase{name: "a human at a machine's", method: http.MethodPost, path: "/batch/run", headers: bearer(sign(t, issuer, human(who))), who: who, cached: "miss",
		own: denied("machine_required", "This endpoint is for service accounts only", "")})

	add(tokenCase{name: "no token", own: noToken()})
	add(tokenCase{name: "another scheme", headers: []string{"Authorization", "Basic dXNlcjpwYXNzd29yZA=="}, own: noToken()})
	anonymous := tokenCase{name: "no token where none is needed", path: "/public/x", who: caller{kind: "anonymous"},
		own: verdict{status: http.StatusOK, event: "request"}, left: 99}
	if listener == "gate_envoy_jwt" {
		anonymous.left = 98 // the limit goes by the address, and the other gate was first
	}
	add(anonymous)
	return append(cases, badTokenCases(t, issuer, listener)...)
}

// badTokenCases spoils good tokens in every way that docs/reference.md names. jwt_authn is less
// strict, in particular about members that don't affect the claims.
func badTokenCases(t *testing.T, issuer *toy.Issuer, listener string) []tokenCase {
	t.Helper()
	var cases []tokenCase
	var who caller // of the case at hand; each has a limit of its own
	var claims toy.Claims
	var good string
	next := func() {
		who = caller{fmt.Sprintf("bad%d-%s", len(cases), listener), "web", "human", "email"}
		claims = issuer.Human(who.user, "orders", time.Hour)
		good = sign(t, issuer, claims)
	}
	next()
	add := func(name, token, reason string, behind verdict) {
		cases = append(cases, tokenCase{name: name, method: http.MethodGet, path: "/", headers: []string{"Authorization", "Bearer " + token},
			own: badToken(reason), behind: behind, cached: "miss", who: who})
		next()
	}
	// signed is for tokens whose signature holds: events name the holder. What jwt_authn refuses
	// before, Gatehouse can't read.
	signed := func(name, token, reason string, behind verdict) {
		add(name, token, reason, behind)
		byEnvoy := listener == "gate_envoy_jwt" && (reason == "not_yet_valid" || reason == "invalid_audience" || reason == "malformed_token")
		cases[len(cases)-1].named = !byEnvoy
	}
	with := func(name, cached string, behind verdict, headers ...string) {
		cases = append(cases, tokenCase{name: name, method: http.MethodGet, path: "/", headers: headers,
			own: badToken("malformed_token"), behind: behind, cached: cached, who: who})
		next()
	}
	same := verdict{}
	must := func(token string, err error) string {
		require.NoError(t, err)
		return token
	}
	parts := strings.Split(good, ".")
	header, payload, signature := parts[0], parts[1], parts[2]
	b64 := base64.RawURLEncoding.EncodeToString
	raw := func(payload string) string { // signs what no JSON library would write
		signed, err := jws.Sign([]byte(payload), jws.WithKey(jwa.HS256(), []byte("0123456789abcdef0123456789abcdef")))
		return must(string(signed), err)
	}

	signed("expired", sign(t, issuer, claims.With("exp", time.Now().Add(-time.Second).Unix())), "expired_token", same)
	signed("not yet valid", sign(t, issuer, claims.With("nbf", time.Now().Add(time.Hour).Unix())), "not_yet_valid", same)
	add("a changed signature", must(toy.Tampered(good)), "invalid_signature", same)
	add("changed claims", must(toy.Forged(good, claims.With("sub", "admin"))), "invalid_signature", same)
	add("alg none", must(toy.Unsigned(claims)), "unsupported_algorithm", badToken("malformed_token"))
	add("an algorithm that isn't allowed", sign(t, issuer, claims, toy.Algorithm("PS256")), "unsupported_algorithm", admitted())
	add("the public key as an HMAC secret", sign(t, issuer, claims, toy.Key("HS256", issuer.JWKS()), toy.Header("kid", "rsa-1")), "unsupported_algorithm", badToken("invalid_signature"))
	signed("another audience", sign(t, issuer, claims.With("aud", "other")), "invalid_audience", same)
	signed("no audience", sign(t, issuer, claims.Without("aud")), "invalid_audience", same)
	add("another issuer", sign(t, issuer, claims.With("iss", "http://other.example")), "invalid_issuer", same)
	add("no issuer", sign(t, issuer, claims.Without("iss")), "invalid_issuer", same)
	signed("no exp", sign(t, issuer, claims.Without("exp")), "missing_claim", same)
	signed("exp in words", sign(t, issuer, claims.With("exp", "tomorrow")), "malformed_token", badToken("malformed_token"))
	cases[len(cases)-1].own = badTokenOf("main", "malformed_token")
	add("an unknown kid", sign(t, issuer, claims, toy.Header("kid", "nobody's")), "unknown_key", same)
	add("too large", sign(t, issuer, claims.With("padding", strings.Repeat("x", 4000))), "token_too_large", admitted())
	signed("bound to a key", sign(t, issuer, claims.With("cnf", map[string]any{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})), "token_type", same)
	signed("another type", sign(t, issuer, claims, toy.Header("typ", "logout+jwt")), "token_type", admitted())
	add("critical extensions", sign(t, issuer, claims, toy.Header("crit", []string{"exp"})), "malformed_token", admitted())
	add("no dots", "abc", "malformed_token", same)
	add("two parts", header+"."+payload, "malformed_token", same)
	add("four parts", good+".", "malformed_token", admitted())
	add("five parts, as a JWE has", header+"..."+signature+".x", "malformed_token", same)
	add("empty parts", "..", "malformed_token", same)
	add("padded", good+"==", "malformed_token", admitted())
	add("base64 with the other alphabet", header+"."+payload+".+/"+signature[2:], "malformed_token", same)
	add("a header that isn't JSON", b64([]byte("not json"))+"."+payload+"."+signature, "malformed_token", same)
	add("a header that is a list", b64([]byte(`["RS256"]`))+"."+payload+"."+signature, "malformed_token", same)
	add("an algorithm that is a number", b64([]byte(`{"alg":256}`))+"."+payload+"."+signature, "malformed_token", same)
	add("claims that aren't JSON", header+"."+b64([]byte("{"))+"."+signature, "malformed_token", same)
	add("a claim twice", raw(`{"iss":"http://127.0.0.1:10080","sub":"a","sub":"b"}`), "malformed_token", same)
	with("a scheme without a token", "", noToken(), "Authorization", "Bearer")
	// Envoy joins several headers with commas. Its JWT filter takes the token out of the result,
	// but Gatehouse refuses it.
	with("two authorization headers", "", same, "Authorization", "Bearer "+good, "Authorization", "Bearer "+good)
	with("two authorization headers, the second of another scheme", "", same, "Authorization", "Bearer "+good, "Authorization", "Basic eDp5")
	with("two authorization headers, the first of another scheme", "", same, "Authorization", "Basic eDp5", "Authorization", "Bearer "+good)
	cases = append(cases, tokenCase{name: "a bad token where none is needed", method: http.MethodGet, path: "/public/x",
		headers: []string{"Authorization", "Bearer abc"}, own: badToken("malformed_token"), cached: "miss"})
	return cases
}
