package jwt_test

import (
	"encoding/base64"
	"math"
	"strings"
	"testing"

	"gatehouse/core/claims"
	"gatehouse/core/jwks"
	"gatehouse/core/jwt"
	"gatehouse/core/reason"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryAlgorithmVerifiesWhatJWXSigned(t *testing.T) {
	v := verifier(testRules())
	for _, a := range allAlgs() {
		t.Run(a.String(), func(t *testing.T) {
			for _, h := range []string{header(a, ""), header(a, `,"typ":"JWT"`), `{"alg":"` + a.String() + `"}`} {
				token := mint(a, h, goodPayload)
				res := v.Verify(token, testNow)
				require.Equal(t, reason.None, res.Reason, res.Reason.String())
				assert.Equal(t, 0, res.Provider)
				assert.Equal(t, "https://idp.example", res.Issuer)
				assert.Equal(t, kidOf[a], res.Key.ID)
				assert.Same(t, ourSet(), res.Set)
				assert.Equal(t, testNow, res.NotBefore)
				assert.Equal(t, testNow+60*second, res.Expires)
				sub, _ := res.Claims.String("sub")
				assert.Equal(t, "alice", sub)

				// One flipped bit anywhere in the signature, or a bit of the payload, and it is
				// another token.
				p := parts(token)
				for _, i := range []int{0, len(p[2]) / 2, len(p[2]) - 3} {
					flipped := p[0] + "." + p[1] + "." + swapChar(p[2], i)
					assert.Equal(t, reason.InvalidSignature, v.Verify(flipped, testNow).Reason)
				}
				other := p[0] + "." + b64(strings.Replace(goodPayload, "alice", "alicf", 1)) + "." + p[2]
				assert.Equal(t, reason.InvalidSignature, v.Verify(other, testNow).Reason)
				assert.Equal(t, reason.InvalidSignature, v.Verify(p[0]+"."+p[1]+".", testNow).Reason, "an empty signature")
				sig := string(must(base64.RawURLEncoding.DecodeString(p[2])))
				for _, sig := range []string{sig + "\x00", "\x00" + sig, sig[1:], sig[:len(sig)-1], sig + sig} {
					assert.Equal(t, reason.InvalidSignature, v.Verify(p[0]+"."+p[1]+"."+b64(sig), testNow).Reason, "another length")
				}
			}
		})
	}
}

func TestEachRuleHasItsReason(t *testing.T) {
	hs := func(payload string) string { return mint(jwt.HS256, header(jwt.HS256, ""), payload) }
	head := func(h string) string { return mint(jwt.HS256, h, goodPayload) }
	claim := func(name, value string) string { return hs(payload(t, name, value)) }
	for name, c := range map[string]struct {
		want  reason.Reason
		token string
		rules func(*jwt.Rules)
	}{
		"iss missing":           {reason.InvalidIssuer, claim("iss", ""), nil},
		"iss null":              {reason.InvalidIssuer, claim("iss", "null"), nil},
		"iss empty":             {reason.InvalidIssuer, claim("iss", `""`), nil},
		"iss a list":            {reason.InvalidIssuer, claim("iss", `["https://idp.example"]`), nil},
		"iss with a slash":      {reason.InvalidIssuer, claim("iss", `"https://idp.example/"`), nil},
		"iss in capitals":       {reason.InvalidIssuer, claim("iss", `"https://IDP.example"`), nil},
		"iss written escaped":   {reason.None, claim("iss", `"https:\/\/idp\u002eexample"`), nil},
		"iss below another":     {reason.InvalidIssuer, hs(`{"x":{"iss":"https://idp.example"},"exp":1700000060}`), nil},
		"alg none":              {reason.UnsupportedAlgorithm, head(`{"alg":"none"}`), nil},
		"alg none, unsigned":    {reason.UnsupportedAlgorithm, b64(`{"alg":"none"}`) + "." + b64(goodPayload) + ".", nil},
		"alg None":              {reason.UnsupportedAlgorithm, head(`{"alg":"None"}`), nil},
		"alg empty":             {reason.UnsupportedAlgorithm, head(`{"alg":""}`), nil},
		"alg hs256":             {reason.UnsupportedAlgorithm, head(`{"alg":"hs256"}`), nil},
		"alg with a space":      {reason.UnsupportedAlgorithm, head(`{"alg":"HS256 "}`), nil},
		"alg Ed25519":           {reason.None, mint(jwt.EdDSA, `{"alg":"Ed25519","kid":"ed"}`, goodPayload), nil},
		"alg Ed25519, no key":   {reason.UnknownKey, head(`{"alg":"Ed25519","kid":"secret"}`), nil},
		"alg ed25519":           {reason.UnsupportedAlgorithm, mint(jwt.EdDSA, `{"alg":"ed25519"}`, goodPayload), nil},
		"alg Ed448":             {reason.UnsupportedAlgorithm, mint(jwt.EdDSA, `{"alg":"Ed448"}`, goodPayload), nil},
		"alg ES256K":            {reason.UnsupportedAlgorithm, head(`{"alg":"ES256K"}`), nil},
		"alg not allowed":       {reason.UnsupportedAlgorithm, hs(goodPayload), func(r *jwt.Rules) { r.Algorithms = jwt.NewAlgSet(jwt.RS256, jwt.HS384) }},
		"no algorithm allowed":  {reason.UnsupportedAlgorithm, hs(goodPayload), func(r *jwt.Rules) { r.Algorithms = 0 }},
		"alg of another hash":   {reason.InvalidSignature, head(`{"alg":"HS384"}`), nil},
		"kid unknown":           {reason.UnknownKey, head(`{"alg":"HS256","kid":"x"}`), nil},
		"kid in other case":     {reason.UnknownKey, head(`{"alg":"HS256","kid":"Secret"}`), nil},
		"kid too long":          {reason.UnknownKey, head(`{"alg":"HS256","kid":"` + strings.Repeat("k", 300) + `"}`), nil},
		"kid of another type":   {reason.UnknownKey, head(`{"alg":"HS256","kid":"rsa"}`), nil},
		"kid of another curve":  {reason.UnknownKey, head(`{"alg":"ES256","kid":"p384"}`), nil},
		"kid absent":            {reason.None, head(`{"alg":"HS256"}`), nil},
		"kid empty":             {reason.None, head(`{"alg":"HS256","kid":""}`), nil},
		"typ at+jwt":            {reason.None, head(`{"alg":"HS256","typ":"at+jwt"}`), nil},
		"typ in full, capitals": {reason.None, head(`{"alg":"HS256","typ":"Application/AT+JWT"}`), nil},
		"typ JOSE":              {reason.TokenType, head(`{"alg":"HS256","typ":"JOSE"}`), nil},
		"typ of a logout token": {reason.TokenType, head(`{"alg":"HS256","typ":"logout+jwt"}`), nil},
		"typ of a DPoP proof":   {reason.TokenType, head(`{"alg":"HS256","typ":"dpop+jwt"}`), nil},
		"typ empty":             {reason.TokenType, head(`{"alg":"HS256","typ":""}`), nil},
		"typ application/":      {reason.TokenType, head(`{"alg":"HS256","typ":"application/"}`), nil},
		"typ configured":        {reason.None, head(`{"alg":"HS256","typ":"secevent+jwt"}`), func(r *jwt.Rules) { r.Types = []string{"secevent+jwt"} }},
		"typ absent, wanted":    {reason.TokenType, hs(goodPayload), func(r *jwt.Rules) { r.Types = []string{"at+jwt"} }},
		"typ absent, allowed":   {reason.None, hs(goodPayload), func(r *jwt.Rules) { r.Types = []string{"at+jwt", ""} }},
		"cnf by a thumbprint":   {reason.TokenType, claim("cnf", `{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}`), nil},
		"cnf by a certificate":  {reason.TokenType, claim("cnf", `{"x5t#S256":"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}`), nil},
		"cnf empty":             {reason.TokenType, claim("cnf", `{}`), nil},
		"cnf null":              {reason.None, claim("cnf", `null`), nil},
		"exp missing":           {reason.MissingClaim, claim("exp", ""), nil},
		"exp null":              {reason.MissingClaim, claim("exp", "null"), nil},
		"exp now":               {reason.ExpiredToken, claim("exp", "1700000000"), nil},
		"exp a bit later":       {reason.None, claim("exp", "1700000000.000000001"), nil},
		"exp even less later":   {reason.None, claim("exp", "1700000000.0000000001"), nil},
		"exp a bit before":      {reason.ExpiredToken, claim("exp", "1699999999.999999999"), nil},
		"exp within the skew":   {reason.None, claim("exp", "1699999990.1"), func(r *jwt.Rules) { r.SkewSeconds = 10 }},
		"exp at the skew":       {reason.ExpiredToken, claim("exp", "1699999990"), func(r *jwt.Rules) { r.SkewSeconds = 10 }},
		"exp zero":              {reason.ExpiredToken, claim("exp", "0"), nil},
		"exp negative":          {reason.ExpiredToken, claim("exp", "-1700000060"), nil},
		"exp with an exponent":  {reason.None, claim("exp", "17.0000006e8"), nil},
		"exp in milliseconds":   {reason.None, claim("exp", "1700000060000"), nil},
		"exp beyond all floats": {reason.None, claim("exp", "1e999"), nil},
		"exp far below zero":    {reason.ExpiredToken, claim("exp", "-1e999"), func(r *jwt.Rules) { r.SkewSeconds = 300 }},
		"nbf missing":           {reason.None, claim("nbf", ""), nil},
		"nbf now":               {reason.None, claim("nbf", "1700000000"), nil},
		"nbf a bit later":       {reason.NotYetValid, claim("nbf", "1700000000.000000001"), nil},
		"nbf within the skew":   {reason.None, claim("nbf", "1700000010"), func(r *jwt.Rules) { r.SkewSeconds = 10 }},
		"nbf beyond the skew":   {reason.NotYetValid, claim("nbf", "1700000010.1"), func(r *jwt.Rules) { r.SkewSeconds = 10 }},
		"nbf beyond all floats": {reason.NotYetValid, claim("nbf", "1e999"), func(r *jwt.Rules) { r.SkewSeconds = 300 }},
		"nbf far below zero":    {reason.None, claim("nbf", "-1e999"), nil},
		"nbf null":              {reason.None, claim("nbf", "null"), nil},
		"iat in the future":     {reason.None, claim("iat", "1700000050"), nil},
		"aud in a list":         {reason.None, claim("aud", `["x","stock"]`), nil},
		"aud missing":           {reason.InvalidAudience, claim("aud", ""), nil},
		"aud null":              {reason.InvalidAudience, claim("aud", "null"), nil},
		"aud another":           {reason.InvalidAudience, claim("aud", `"order"`), nil},
		"aud two in a string":   {reason.InvalidAudience, claim("aud", `"orders stock"`), nil},
		"aud empty list":        {reason.InvalidAudience, claim("aud", `[]`), nil},
		"aud with a number":     {reason.MalformedToken, claim("aud", `["orders",1]`), nil},
		"aud a nested list":     {reason.MalformedToken, claim("aud", `[["orders"]]`), nil},
		"aud a number":          {reason.MalformedToken, claim("aud", `7`), nil},
		"aud an object":         {reason.MalformedToken, claim("aud", `{"orders":1}`), nil},
		"any audience":          {reason.None, claim("aud", ""), func(r *jwt.Rules) { r.AnyAudience = true }},
		"audiences forgotten":   {reason.InvalidAudience, hs(goodPayload), func(r *jwt.Rules) { r.Audiences = nil }},
		"aud by client_id": {reason.None, hs(`{"iss":"https://idp.example","exp":1700000060,"client_id":"orders"}`),
			func(r *jwt.Rules) { r.AudienceClaims = []string{"aud", "client_id"} }},
		"aud null, client_id": {reason.None, hs(`{"iss":"https://idp.example","exp":1700000060,"aud":null,"client_id":"orders"}`),
			func(r *jwt.Rules) { r.AudienceClaims = []string{"aud", "client_id"} }},
		"aud decides first": {reason.InvalidAudience, hs(`{"iss":"https://idp.example","exp":1700000060,"aud":"x","client_id":"orders"}`),
			func(r *jwt.Rules) { r.AudienceClaims = []string{"aud", "client_id"} }},
		"a number for an audience": {reason.InvalidAudience, hs(`{"iss":"https://idp.example","exp":1700000060,"ctx":["orders",1]}`),
			func(r *jwt.Rules) { r.AudienceClaims = []string{"ctx"} }},
		"aud by a path": {reason.None, hs(`{"iss":"https://idp.example","exp":1700000060,"ctx":{"for":["orders"]}}`),
			func(r *jwt.Rules) { r.AudienceClaims = []string{"ctx.for"} }},
		"required claims there":   {reason.None, hs(payload(t, "act", `{"sub":""}`)), func(r *jwt.Rules) { r.RequiredClaims = []string{"sub", "act.sub"} }},
		"a required claim absent": {reason.MissingClaim, hs(goodPayload), func(r *jwt.Rules) { r.RequiredClaims = []string{"sub", "jti"} }},
		"a required claim null":   {reason.MissingClaim, claim("jti", "null"), func(r *jwt.Rules) { r.RequiredClaims = []string{"jti"} }},
		"a claim of one value":    {reason.None, hs(payload(t, "token_use", `"access"`)), func(r *jwt.Rules) { r.Claims = tokenUse }},
		"a claim's other value":   {reason.InvalidClaim, hs(payload(t, "token_use", `"id"`)), func(r *jwt.Rules) { r.Claims = tokenUse }},
		"a claim absent":          {reason.InvalidClaim, hs(goodPayload), func(r *jwt.Rules) { r.Claims = tokenUse }},
		"kid of the wrong use":    {reason.InvalidSignature, mint(jwt.RS256, `{"alg":"PS256","kid":"rsa"}`, goodPayload), nil},
	} {
		t.Run(name, func(t *testing.T) {
			rules := testRules()
			if c.rules != nil {
				c.rules(&rules)
			}
			res := verifier(rules).Verify(c.token, testNow)
			assert.Equal(t, c.want.String(), res.Reason.String())
			if c.want == reason.None {
				assert.Equal(t, reason.None, verifier(rules).Times(0, res.NotBefore, res.Expires, testNow), "a cache hit agrees")
			}
		})
	}
}

// TestTheFirstFailureIsTheReason begins with a token that breaks every rule, and repairs it in the
// order of the checks.
func TestTheFirstFailureIsTheReason(t *testing.T) {
	rules := testRules()
	rules.Algorithms = jwt.NewAlgSet(jwt.HS256, jwt.HS512)
	rules.RequiredClaims = []string{"tenant"}
	rules.Claims = tokenUse
	v := jwt.New([]jwt.Rules{rules}, fixedKeys{ourSet()}, nil, 700)
	h := `{"alg":"ES256","kid":"x","typ":"x","crit":["x"],"pad":"` + strings.Repeat("x", 400) + `"}`
	p := `{"iss":"x","sub":1,"exp":1,"nbf":1800000000,"aud":"x"}`
	spoiled := false
	swap := func(s *string, old, with string) {
		require.Contains(t, *s, old)
		*s = strings.Replace(*s, old, with, 1)
	}
	for _, step := range []struct {
		want reason.Reason
		mend func()
	}{
		{reason.TokenTooLarge, func() { spoiled = true }},
		{reason.MalformedToken, func() { swap(&h, `,"pad":"`+strings.Repeat("x", 400)+`"`, "") }},
		{reason.InvalidIssuer, func() { swap(&h, `,"crit":["x"]`, "") }},
		{reason.UnsupportedAlgorithm, func() { swap(&p, `"iss":"x"`, `"iss":"https://idp.example"`) }},
		{reason.UnknownKey, func() { swap(&h, "ES256", "HS256") }},
		{reason.InvalidSignature, func() { swap(&h, `"kid":"x"`, `"kid":"secret"`) }},
		{reason.MalformedToken, func() { spoiled = false }},
		{reason.TokenType, func() { swap(&p, `"sub":1`, `"sub":"alice"`) }},
		{reason.ExpiredToken, func() { swap(&h, `"typ":"x"`, `"typ":"JWT"`) }},
		{reason.NotYetValid, func() { swap(&p, `"exp":1`, `"exp":1700000060`) }},
		{reason.InvalidAudience, func() { swap(&p, `"nbf":1800000000`, `"nbf":1600000000`) }},
		{reason.MissingClaim, func() { swap(&p, `"aud":"x"`, `"aud":"orders"`) }},
		{reason.InvalidClaim, func() { swap(&p, `"exp"`, `"tenant":"a","exp"`) }},
		{reason.None, func() { swap(&p, `"exp"`, `"token_use":"access","exp"`) }},
	} {
		step.mend()
		token := mint(jwt.HS256, h, p)
		if spoiled {
			token = token[:len(token)-4] + "AAAA"
		}
		require.Equal(t, step.want.String(), v.Verify(token, testNow).Reason.String(), "%s %s", h, p)
	}
}

// tokenUse keeps Cognito's ID tokens out.
var tokenUse = []jwt.ClaimRule{{Name: "token_use", Values: []string{"access"}}}

func TestNoKeySetIsNotTheCallersFault(t *testing.T) {
	v := jwt.New([]jwt.Rules{testRules()}, fixedKeys{nil}, nil, 16384)
	res := v.Verify(mint(jwt.HS256, header(jwt.HS256, ""), goodPayload), testNow)
	assert.Equal(t, reason.KeysUnavailable, res.Reason)
	assert.Nil(t, res.Key)
	assert.Equal(t, reason.UnsupportedAlgorithm, v.Verify(mint(jwt.HS256, `{"alg":"none"}`, goodPayload), testNow).Reason)
	empty := jwt.New([]jwt.Rules{testRules()}, fixedKeys{{}}, nil, 16384)
	assert.Equal(t, reason.UnknownKey, empty.Verify(mint(jwt.HS256, header(jwt.HS256, ""), goodPayload), testNow).Reason)
}

func TestARefusedTokenBringsNoClaims(t *testing.T) {
	v := verifier(testRules())
	token := mint(jwt.HS256, header(jwt.HS256, ""), goodPayload)
	res := v.Verify(token[:len(token)-4]+"AAAA", testNow)
	require.Equal(t, reason.InvalidSignature, res.Reason)
	assert.Equal(t, jwt.Result{Reason: reason.InvalidSignature, Provider: 0, Set: ourSet(), Issuer: "https://idp.example"}, res)
}

func TestCheckClaimsAppliesAllButTheSignature(t *testing.T) {
	v := jwt.New([]jwt.Rules{{}, {Issuer: "https://idp.example", Audiences: []string{"orders"}, RequiredClaims: []string{"sub"}, SkewSeconds: 5}, {Claims: tokenUse}},
		fixedKeys{nil, nil, nil}, nil, 16384)
	for _, c := range []struct {
		provider int
		doc      string
		want     reason.Reason
	}{
		{0, `{"exp":1700000060}`, reason.None},
		{0, `{"exp":1.70000006e9,"iss":"x","aud":"7"}`, reason.None},
		{0, `{"exp":1.70000006e9,"iss":"x","aud":7}`, reason.MalformedToken},
		{0, `{"exp":1.70000006e9,"iss":7}`, reason.MalformedToken},
		{0, `{"exp":1.70000006e9,"sub":1001,"client_id":"orders"}`, reason.MalformedToken},
		{0, `{}`, reason.MissingClaim},
		{0, `{"exp":null}`, reason.MissingClaim},
		{0, `{"exp":"1"}`, reason.MalformedToken},
		{0, `{"exp":1700000060,"nbf":true}`, reason.MalformedToken},
		{0, `{"exp":1700000000}`, reason.ExpiredToken},
		{0, `{"exp":1700000060,"nbf":1700000001}`, reason.NotYetValid},
		{0, `{"exp":1700000060,"cnf":{"jkt":"x"}}`, reason.TokenType},
		{1, goodPayload, reason.None},
		{1, payload(t, "exp", "1699999996"), reason.None},
		{1, payload(t, "exp", "1699999995"), reason.ExpiredToken},
		{1, payload(t, "iss", `"x"`), reason.InvalidIssuer},
		{1, payload(t, "iss", ""), reason.InvalidIssuer},
		{1, payload(t, "aud", `"x"`), reason.InvalidAudience},
		{1, payload(t, "aud", ""), reason.InvalidAudience},
		{1, payload(t, "sub", ""), reason.MissingClaim},
		{2, `{"exp":1700000060,"token_use":"access"}`, reason.None},
		{2, `{"exp":1700000060,"token_use":"id"}`, reason.InvalidClaim},
	} {
		set, err := claims.Parse([]byte(c.doc))
		require.NoError(t, err)
		res := v.CheckClaims(c.provider, set, testNow)
		assert.Equal(t, c.want.String(), res.Reason.String(), c.doc)
		assert.Equal(t, c.provider, res.Provider)
	}
	set, err := claims.Parse([]byte(`{"iss":"https://any.example","exp":1700000060.5}`))
	require.NoError(t, err)
	res := v.CheckClaims(0, set, testNow)
	assert.Equal(t, "https://any.example", res.Issuer)
	assert.Equal(t, testNow+60*second+second/2, res.Expires)
	// A provider without an issuer is for claims alone: no token names it.
	assert.Equal(t, reason.InvalidIssuer, v.Verify(mint(jwt.HS256, header(jwt.HS256, ""), payload(t, "iss", `""`)), testNow).Reason)
}

func TestTimesHoldAtTheEndsOfTheClock(t *testing.T) {
	r := testRules()
	r.SkewSeconds = 300
	v := verifier(r)
	assert.Equal(t, reason.None, v.Times(0, math.MinInt64, math.MaxInt64, testNow))
	assert.Equal(t, reason.None, v.Times(0, math.MaxInt64, math.MaxInt64, math.MaxInt64-second))
	assert.Equal(t, reason.ExpiredToken, v.Times(0, 0, math.MinInt64, math.MinInt64+second))
	assert.Equal(t, reason.NotYetValid, v.Times(0, math.MaxInt64, math.MaxInt64, testNow))
	assert.Equal(t, reason.None, v.Times(0, math.MinInt64, 0, math.MinInt64+second))
}

func TestVerifySignatureSaysWhichHalfIsWrong(t *testing.T) {
	jws := mint(jwt.ES256, header(jwt.ES256, `,"typ":"whatever"`), "no claims at all")
	for name, c := range map[string]struct {
		token   string
		set     *jwks.Set
		allowed jwt.AlgSet
		kid     string
		want    reason.Reason
	}{
		"good":             {jws, ourSet(), everyAlg(), "p256", reason.None},
		"an empty payload": {mint(jwt.ES256, header(jwt.ES256, ""), ""), ourSet(), everyAlg(), "p256", reason.None},
		"no payload":       {"e30.c2ln", ourSet(), everyAlg(), "", reason.MalformedToken},
		"alg not allowed":  {jws, ourSet(), jwt.NewAlgSet(jwt.RS256), "p256", reason.UnsupportedAlgorithm},
		"no keys":          {jws, &jwks.Set{}, everyAlg(), "p256", reason.UnknownKey},
		"no set":           {jws, nil, everyAlg(), "p256", reason.KeysUnavailable},
		"empty payload":    {mint(jwt.ES256, header(jwt.ES256, ""), ""), ourSet(), everyAlg(), "p256", reason.None},
		"no signature":     {jws[:strings.LastIndexByte(jws, '.')+1], ourSet(), everyAlg(), "p256", reason.InvalidSignature},
		"two parts":        {jws[:strings.LastIndexByte(jws, '.')], ourSet(), everyAlg(), "", reason.MalformedToken},
		"no header":        {jws[strings.IndexByte(jws, '.'):], ourSet(), everyAlg(), "", reason.MalformedToken},
		"wrong signature":  {jws[:len(jws)-4] + "AAAA", ourSet(), everyAlg(), "p256", reason.InvalidSignature},
		"malformed":        {jws + "=", ourSet(), everyAlg(), "", reason.MalformedToken},
		"kid out of sense": {mint(jwt.HS256, `{"alg":"HS256","kid":"`+strings.Repeat("k", 300)+`"}`, "{}"), ourSet(), everyAlg(), "", reason.UnknownKey},
	} {
		kid, why := jwt.VerifySignature(c.token, c.set, c.allowed)
		assert.Equal(t, c.want.String(), why.String(), name)
		assert.Equal(t, c.kid, kid, name)
	}
}

func TestAlgorithmsHaveTheNamesOfTheRFCs(t *testing.T) {
	names := strings.Fields("RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA HS256 HS384 HS512")
	for _, name := range names {
		a, ok := jwt.ParseAlg(name)
		require.True(t, ok, name)
		assert.Equal(t, name, a.String())
		assert.Equal(t, strings.HasPrefix(name, "HS"), a.Symmetric())
	}
	ed, ok := jwt.ParseAlg("Ed25519")
	assert.True(t, ok)
	assert.Equal(t, jwt.EdDSA, ed)
	assert.Len(t, allAlgs(), len(names))
	assert.Equal(t, names, jwt.AllAlgs.Names())
	for _, name := range []string{"", "none", "rs256", "ES256K", "HS1", "ed25519", "Ed448", "RSA-OAEP"} {
		_, ok := jwt.ParseAlg(name)
		assert.False(t, ok, name)
	}
	assert.Empty(t, jwt.Alg(200).String())
	assert.False(t, jwt.Alg(200).Symmetric())
	set := jwt.NewAlgSet(jwt.RS256, jwt.HS512)
	assert.True(t, set.Has(jwt.RS256) && set.Has(jwt.HS512))
	assert.False(t, set.Has(jwt.HS256) || set.Has(0) || set.Has(200))
	assert.Equal(t, []string{"RS256", "HS512"}, set.Names())
}
