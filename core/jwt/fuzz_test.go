package jwt_test

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"gatehouse/core/jwt"
	"gatehouse/core/reason"
)

// FuzzVerify holds that no token without a signature of ours is believed, and that one with it is
// believed only if the standard library reads it in the same way.
func FuzzVerify(f *testing.F) {
	for _, e := range rfcExamples {
		f.Add(e.jws)
	}
	f.Add("eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UifQ.")
	f.Add("a.b.c")
	f.Add("e30.e30.AA")
	f.Add(b64(`{"alg":"HS256","crit":["b64"],"b64":false}`) + "." + b64(goodPayload) + ".AA")
	f.Add(b64(`{"alg":"HS256","kid":"\u0061","typ":"JWT"}`) + "." + b64(`{"iss":"https:\/\/idp.example","aud":["a"]}`) + ".AA")
	v := verifier(testRules())
	f.Fuzz(func(t *testing.T, token string) {
		if res := v.Verify(token, testNow); res.Reason == reason.None || res.Claims.Raw() != "" {
			t.Fatalf("believed %q", token)
		}
		// The same header and payload, signed: what is fuzzed is then what comes after the
		// signature.
		p := parts(token)
		if len(p) != 3 {
			return
		}
		resigned := signed(jwt.HS256, p[0]+"."+p[1])
		res := v.Verify(resigned, testNow)
		jwt.VerifySignature(resigned, ourSet(), everyAlg())
		if res.Reason != reason.None {
			return
		}
		var h, c map[string]any
		if err := decode(p[0], &h); err != nil {
			t.Fatal(err)
		}
		if err := decode(p[1], &c); err != nil && !strings.Contains(err.Error(), "float64") {
			t.Fatal(err)
		}
		if h["alg"] != "HS256" || h["crit"] != nil || c["iss"] != "https://idp.example" || c["cnf"] != nil {
			t.Fatalf("believed %v %v", h, c)
		}
	})
}

// FuzzClaims signs any header and claims, so that the rules after the signature are reached at
// every execution.
func FuzzClaims(f *testing.F) {
	f.Add(`{"alg":"HS256"}`, goodPayload)
	f.Add(`{"alg":"HS256","typ":"application/AT+jwt","kid":"secret"}`, `{"iss":"https://idp.example","aud":["x","stock"],"exp":1.7000001e9}`)
	f.Add(`{"alg":"HS512"}`, `{"iss":"https://idp.example","exp":"1"}`)
	f.Add(`{"alg":"HS256","cty":"JWT"}`, `{"iss":"https://idp.example","nbf":null,"exp":1e999}`)
	f.Add(`{"alg":"HS256"}`, `{"iss":"https://idp.example","cnf":{},"exp":1}`)
	f.Add(`{"alg":"HS256"}`, `{"iss":"https://idp.example","exp":1700000060,"aud":"orders","sub":1001,"client_id":"c"}`)
	f.Add(`{"alg":"HS256"}`, `{"iss":"https://idp.example","exp":1700000060,"aud":"orders","sub":null,"azp":{},"iat":"x"}`)
	v := verifier(testRules())
	f.Fuzz(func(t *testing.T, header, payload string) {
		res := v.Verify(mint(jwt.HS256, header, payload), testNow)
		if res.Reason != reason.None {
			return
		}
		var c map[string]any
		if err := json.Unmarshal([]byte(payload), &c); err != nil {
			if !strings.Contains(err.Error(), "float64") { // 1e999 is a number for us, and far away
				t.Fatalf("believed %q: %v", payload, err)
			}
			return
		}
		exp, _ := c["exp"].(float64)
		nbf, _ := c["nbf"].(float64)
		audiences, isList := c["aud"].([]any)
		if !isList {
			audiences = []any{c["aud"]}
		}
		named := slices.Contains(audiences, any("orders")) || slices.Contains(audiences, any("stock"))
		if c["iss"] != "https://idp.example" || exp < 1.7e9 || nbf > 1.7e9 || !named || c["cnf"] != nil {
			t.Fatalf("believed %q", payload)
		}
		for _, name := range []string{"sub", "jti", "azp", "client_id"} {
			if _, text := c[name].(string); !text && c[name] != nil {
				t.Fatalf("believed %q", payload)
			}
		}
		for _, name := range []string{"nbf", "iat"} {
			if _, number := c[name].(float64); !number && c[name] != nil {
				t.Fatalf("believed %q", payload)
			}
		}
	})
}

func decode(part string, v any) error {
	doc, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(doc, v)
}
