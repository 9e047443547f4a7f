package jwt_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"gatehouse/core/claims"
	"gatehouse/core/jwt"
	"gatehouse/core/reason"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const entra = "https://login.example/{tid}/v2.0"

func TestBracesStandForOneSegmentOfAPath(t *testing.T) {
	for _, good := range []string{entra, "https://a/{t}", "http://a/b/{t}/", "https://a/{t}/b/c", "https://a/{org.id}/x", "x://a/{t}"} {
		_, pattern, ok := jwt.ParseIssuer(good)
		assert.True(t, pattern && ok, good)
	}
	for _, exact := range []string{"https://idp.example", "accounts.google.com", "", "a b", "https://a/%7Bt%7D"} {
		p, pattern, ok := jwt.ParseIssuer(exact)
		assert.True(t, !pattern && ok, exact)
		assert.Zero(t, p)
	}
	for _, bad := range []string{
		"{", "}", "{t}", "/{t}", "a/{t}", "https://{t}", "https://{t}/", "https:///{t}", "https://{t}/a", "https://a{t}", "https://a/{}",
		"https://a/x{t}", "https://a/{t}x", "https://a/{t}?b", "https://a/{t}#b", "https://a/{t", "https://a/t}", "https://a/{t}/{u}", "https://a/{{t}}",
		"https://a/{t/u}", "https://a/}{", "https://a/{t}}",
	} {
		p, pattern, ok := jwt.ParseIssuer(bad)
		assert.True(t, pattern && !ok, bad)
		assert.Zero(t, p)
	}
}

func TestTheSegmentOfAnIssuer(t *testing.T) {
	p, _, ok := jwt.ParseIssuer(entra)
	require.True(t, ok)
	assert.Equal(t, "tid", p.Claim)
	for issuer, want := range map[string]string{
		"https://login.example/a/v2.0":     "a",
		"https://login.example/{tid}/v2.0": "{tid}",
		"https://login.example/a b/v2.0":   "a b",
		"https://login.example//v2.0":      "",
		"https://login.example/v2.0":       "",
		"https://login.example/a/b/v2.0":   "",
		"https://login.example/a%2f/v2.0":  "",
		"https://login.example/a?/v2.0":    "",
		"https://login.example/a#/v2.0":    "",
		"https://login.example/a/v2.0/":    "",
		"https://login.example/a/v2":       "",
		"https://LOGIN.example/a/v2.0":     "",
		"":                                 "",
	} {
		segment, ok := p.Segment(issuer)
		assert.Equal(t, want != "", ok, issuer)
		if ok {
			assert.Equal(t, want, segment, issuer)
		}
	}
	_, ok = jwt.IssuerPattern{}.Segment("")
	assert.False(t, ok)
}

// TestPatternsOverlapIfSomeIssuerFitsBoth tries all issuers of a small alphabet.
func TestPatternsOverlapIfSomeIssuerFitsBoth(t *testing.T) {
	segments := []string{"a", "b", "", "a?", "a%"}
	var all []string
	for _, x := range segments {
		for _, y := range segments {
			all = append(all, "https://h/"+x, "https://h/"+x+"/"+y)
			for _, z := range segments {
				all = append(all, "https://h/"+x+"/"+y+"/"+z)
			}
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(label string) jwt.IssuerPattern {
			parts := strings.Split(rapid.SampledFrom(all).Draw(rt, label), "/")
			parts[rapid.IntRange(3, len(parts)-1).Draw(rt, label)] = "{t}"
			p, pattern, ok := jwt.ParseIssuer(strings.Join(parts, "/"))
			require.True(rt, pattern && ok)
			return p
		}
		p, q := draw("p"), draw("q")
		want := false
		for _, issuer := range all {
			_, first := p.Segment(issuer)
			_, second := q.Segment(issuer)
			want = want || first && second
		}
		assert.Equal(rt, want, p.Overlaps(q), "%v %v", p, q)
		assert.Equal(rt, want, q.Overlaps(p), "%v %v", q, p)
	})
}

// tenants are rules of an issuer with many tenants.
func tenants(allowed ...string) jwt.Rules {
	r := testRules()
	r.Issuer = entra
	if allowed != nil {
		r.Claims = []jwt.ClaimRule{{Name: "tid", Values: allowed}}
	}
	return r
}

func TestATenantMustBeTheOneOfTheIssuer(t *testing.T) {
	claim := func(iss, tid string) string {
		p := strings.Replace(goodPayload, "https://idp.example", iss, 1)
		if tid != "" {
			p = `{"tid":` + tid + `,` + p[1:]
		}
		return mint(jwt.HS256, header(jwt.HS256, ""), p)
	}
	a := "https://login.example/a/v2.0"
	for name, c := range map[string]struct {
		allowed []string
		iss     string
		tid     string
		want    reason.Reason
	}{
		"listed":                     {[]string{"a", "b"}, a, `"a"`, reason.None},
		"not listed":                 {[]string{"b"}, a, `"a"`, reason.InvalidClaim},
		"another tenant's issuer":    {[]string{"a", "b"}, a, `"b"`, reason.InvalidIssuer},
		"absent":                     {[]string{"a"}, a, ``, reason.InvalidClaim},
		"null":                       {[]string{"a"}, a, `null`, reason.InvalidClaim},
		"a list":                     {[]string{"a"}, a, `["a"]`, reason.InvalidIssuer},
		"a number":                   {[]string{"1"}, "https://login.example/1/v2.0", `1`, reason.InvalidIssuer},
		"in another case":            {[]string{"A"}, a, `"A"`, reason.InvalidIssuer},
		"any":                        {nil, a, `"a"`, reason.None},
		"any, absent":                {nil, a, ``, reason.InvalidClaim},
		"any, null":                  {nil, a, `null`, reason.InvalidClaim},
		"any, another's":             {nil, a, `"b"`, reason.InvalidIssuer},
		"the placeholder itself":     {nil, entra, `"a"`, reason.InvalidIssuer},
		"two segments":               {nil, "https://login.example/a/b/v2.0", `"a/b"`, reason.InvalidIssuer},
		"no segment":                 {nil, "https://login.example//v2.0", `""`, reason.InvalidIssuer},
		"an escape":                  {nil, "https://login.example/%61/v2.0", `"%61"`, reason.InvalidIssuer},
		"another host":               {nil, "https://evil.example/a/v2.0", `"a"`, reason.InvalidIssuer},
		"behind a host of their own": {nil, "https://evil.example/https://login.example/a/v2.0", `"a"`, reason.InvalidIssuer},
	} {
		t.Run(name, func(t *testing.T) {
			res := verifier(tenants(c.allowed...)).Verify(claim(c.iss, c.tid), testNow)
			assert.Equal(t, c.want.String(), res.Reason.String())
			if c.want == reason.None {
				assert.Equal(t, c.iss, res.Issuer)
				assert.Equal(t, "a", res.Segment)
			}
			doc := `{"iss":"` + c.iss + `","aud":"orders","exp":1700000060}`
			if c.tid != "" {
				doc = `{"tid":` + c.tid + `,` + doc[1:]
			}
			set, err := claims.Parse([]byte(doc))
			require.NoError(t, err)
			assert.Equal(t, c.want.String(), verifier(tenants(c.allowed...)).CheckClaims(0, set, testNow).Reason.String(), "of another filter")
		})
	}
}

func TestAnExactIssuerPrecedesAPattern(t *testing.T) {
	exact, other := testRules(), testRules()
	exact.Issuer, other.Issuer = "https://login.example/a/v2.0", "https://login.example/{x}/v3.0"
	v := verifier(tenants(), other, exact)
	for iss, want := range map[string]int{
		"https://login.example/a/v2.0": 2, "https://login.example/b/v2.0": 0, "https://login.example/b/v3.0": 1, "https://login.example/b/v4.0": -1,
	} {
		payload := `{"tid":"b","x":"b",` + strings.Replace(goodPayload, "https://idp.example", iss, 1)[1:]
		assert.Equal(t, want, v.Verify(mint(jwt.HS256, header(jwt.HS256, ""), payload), testNow).Provider, iss)
		set, err := claims.Parse([]byte(payload))
		require.NoError(t, err)
		for i := range 3 {
			assert.Equal(t, i == want, v.CheckClaims(i, set, testNow).Reason == reason.None, "%s, %d", iss, i)
		}
	}
}

// TestAKeyOfOneTenantSignsForItAlone has the keys of Entra ID's common set: some name one tenant in
// "issuer".
func TestAKeyOfOneTenantSignsForItAlone(t *testing.T) {
	secret := string(issuerKeys()["secret"].([]byte))
	token := mint(jwt.HS256, `{"alg":"HS256","kid":"k"}`, `{"tid":"a",`+strings.Replace(goodPayload, "https://idp.example", "https://login.example/a/v2.0", 1)[1:])
	exact := testRules()
	exact.Issuer = "https://login.example/a/v2.0"
	for issuer, want := range map[string]reason.Reason{
		``: reason.None,
		`"https://login.example/{tenantid}/v2.0"`: reason.None,
		`"https://login.example/a/v2.0"`:          reason.None,
		`"https://login.example/b/v2.0"`:          reason.UnknownKey,
		`"https://login.example/aa/v2.0"`:         reason.UnknownKey,
		`"https://a/b/v2.0"`:                      reason.UnknownKey,
		`"a"`:                                     reason.UnknownKey,
		`"https://login.example/{tenantid/v2"`:    reason.UnknownKey,
		`null`:                                    reason.None,
		`7`:                                       reason.UnknownKey,
		`["https://login.example/a/v2.0"]`:        reason.UnknownKey,
		`{"{":"}"}`:                               reason.UnknownKey,
	} {
		more := ""
		if issuer != "" {
			more = `,"issuer":` + issuer
		}
		set := octSet(t, [3]string{"k", secret, more})
		v := jwt.New([]jwt.Rules{tenants()}, fixedKeys{set}, nil, 16384)
		assert.Equal(t, want.String(), v.Verify(token, testNow).Reason.String(), issuer)
		// An exact issuer doesn't look at it.
		v = jwt.New([]jwt.Rules{exact}, fixedKeys{set}, nil, 16384)
		assert.Equal(t, reason.None.String(), v.Verify(token, testNow).Reason.String(), issuer)
	}
	// Keys of other tenants aren't among the four that are tried.
	keys := [][3]string{}
	for _, tenant := range []string{"b", "c", "d", "e", "a"} {
		keys = append(keys, [3]string{"k", secret, `,"issuer":"https://login.example/` + tenant + `/v2.0"`})
	}
	set := octSet(t, keys...)
	v := jwt.New([]jwt.Rules{tenants()}, fixedKeys{set}, nil, 16384)
	assert.Equal(t, reason.None, v.Verify(token, testNow).Reason)
}

// quote writes a JSON string. What isn't UTF-8 is skipped: no token has it.
func quote(t *testing.T, s string) string {
	if !utf8.ValidString(s) {
		t.Skip()
	}
	doc, err := json.Marshal(s)
	require.NoError(t, err)
	return string(doc)
}

// FuzzIssuer holds that only the configured tenants of the configured host are believed, however an
// issuer is written.
func FuzzIssuer(f *testing.F) {
	f.Add("https://login.example/a/v2.0", "a")
	f.Add("https://login.example/b/v2.0", "a")
	f.Add("https://login.example/a?x/v2.0", "a?x")
	f.Add(entra, "{tid}")
	v := verifier(tenants())
	f.Fuzz(func(t *testing.T, iss, tid string) {
		payload := `{"iss":` + quote(t, iss) + `,"tid":` + quote(t, tid) + `,"aud":"orders","exp":1700000060}`
		res := v.Verify(mint(jwt.HS256, header(jwt.HS256, ""), payload), testNow)
		want := iss == "https://login.example/"+tid+"/v2.0" && tid != "" && !strings.ContainsAny(tid, "/?#%")
		if got := res.Reason == reason.None; got != want {
			t.Fatalf("%q, %q: %s", iss, tid, res.Reason)
		}
	})
}
