package jwt_test

import (
	"encoding/base64"
	"math/rand"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse/core/jwt"
	"gatehouse/core/reason"

	"github.com/lestrrat-go/jwx/v3/jws"
	jwxjwt "github.com/lestrrat-go/jwx/v3/jwt"
	"github.com/stretchr/testify/assert"
)

// jwxAccepts is the oracle: jwx, asked for what our rules ask.
func jwxAccepts(token string, kid bool, skew int64) bool {
	_, err := jwxjwt.Parse([]byte(token),
		jwxjwt.WithKeySet(jwxSet(), jws.WithInferAlgorithmFromKey(true), jws.WithRequireKid(kid)),
		jwxjwt.WithIssuer("https://idp.example"),
		jwxjwt.WithAudience("orders"),
		jwxjwt.WithRequiredClaim("exp"),
		jwxjwt.WithAcceptableSkew(time.Duration(skew)*time.Second),
		jwxjwt.WithClock(jwxjwt.ClockFunc(func() time.Time { return time.Unix(0, int64(testNow)) })),
	)
	return err == nil
}

// difference is a kind of token for which our verdict is meant to differ from jwx's.
type difference struct {
	ours  reason.Reason // OK if it is jwx that refuses
	why   string
	count int
}

// meant lists the kinds of tokens for which the verdicts may differ. For other kinds they must
// always agree. For a listed kind they must differ at least once, so that no entry stays after its
// reason is gone.
func meant() map[string]*difference {
	return map[string]*difference{
		"typ another":        {ours: reason.TokenType, why: "RFC 8725 §3.11 wants explicit types told apart; jwx leaves typ to its caller"},
		"cnf":                {ours: reason.TokenType, why: "RFC 7800: a token bound to a key is no bearer token; jwx leaves cnf to its caller"},
		"duplicate claim":    {ours: reason.MalformedToken, why: "two parsers that take different ones of two members are an attack; jwx takes the last"},
		"duplicate header":   {ours: reason.MalformedToken, why: "as with claims"},
		"deep claim":         {ours: reason.MalformedToken, why: "our depth is limited to 16"},
		"b64 true":           {ours: reason.MalformedToken, why: "RFC 7797 §6 wants crit beside b64; we understand neither"},
		"crit":               {ours: reason.MalformedToken, why: "RFC 7515 §4.1.11: an extension that isn't understood refuses; jwx's jwt.Parse doesn't check crit"},
		"crit exp":           {ours: reason.MalformedToken, why: "as with crit"},
		"no alg":             {ours: reason.MalformedToken, why: "RFC 7515 §4.1.1: alg must be there; jwx takes the key's"},
		"cty JWT":            {ours: reason.MalformedToken, why: "a nested token is not unwrapped; its claims may be another's"},
		"enc":                {ours: reason.MalformedToken, why: "RFC 7516 §9: enc tells a JWE from a JWS"},
		"exp string":         {ours: reason.MalformedToken, why: "RFC 7519 §2: a NumericDate is a number; jwx reads RFC 3339 and digits in strings too"},
		"space around":       {ours: reason.MalformedToken, why: "RFC 7515 §7.1 has no white space; jwx trims it"},
		"lone surrogate":     {ours: reason.MalformedToken, why: "not UTF-8; jwx replaces it"},
		"invalid UTF-8":      {ours: reason.MalformedToken, why: "not UTF-8; jwx replaces it"},
		"iat in the future":  {ours: reason.None, why: "RFC 7519 §4.1.6 gives iat no say in validity, and clocks differ"},
		"nbf null":           {ours: reason.None, why: "null counts as absent; jwx wants a number"},
		"client number":      {ours: reason.MalformedToken, why: "RFC 9068 §2.2, OpenID Connect Core §2: a client's id is a string; jwx leaves both claims to its caller"},
		"fraction beyond ns": {ours: reason.None, why: "an instant later than now is later by however little"},
		"exp beyond int64":   {ours: reason.None, why: "a number is a number"},
	}
}

// generated is one case. kid tells the oracle how to look for the key.
type generated struct {
	kind, token string
	kid         bool
	skew        int64
}

// generator draws tokens of one algorithm. Each has claims of its own.
type generator struct {
	*rand.Rand
	alg jwt.Alg
	t   *testing.T
}

// claims are good ones with one member's value replaced.
func (g generator) claims(name, value string) string {
	m := []string{`"iss":"https://idp.example"`, `"aud":` + g.pick(`"orders"`, `["orders"]`, `["a","orders","b"]`),
		`"exp":` + strconv.Itoa(1_700_000_001+g.Intn(100_000)), `"sub":"user-` + strconv.Itoa(g.Int()) + `"`,
		`"scope":"a b"`, `"realm_access":{"roles":["x",{"y":[1,2.5e3,null,true]}]}`}
	out := m[:0:0]
	for _, member := range m {
		if !strings.HasPrefix(member, `"`+name+`":`) {
			out = append(out, member)
		}
	}
	if name != "" && value != "" {
		out = append(out, `"`+name+`":`+value)
	}
	g.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return "{" + strings.Join(out, g.pick(",", ", ", ",\r\n ")) + "}"
}

func (g generator) pick(of ...string) string { return of[g.Intn(len(of))] }

// kinds draws one token of every kind from one signing key.
func (g generator) kinds() (out []generated) {
	a := g.alg
	add := func(kind, token string) { out = append(out, generated{kind, token, true, 0}) }
	claim := func(kind, name string, values ...string) {
		add(kind, mint(a, header(a, ""), g.claims(name, g.pick(values...))))
	}
	head := func(kind, more string) { add(kind, mint(a, header(a, more), g.claims("", ""))) }

	good := mint(a, header(a, g.pick("", `,"typ":"JWT"`, `,"typ":"at+jwt"`, `,"x5t":"abc"`)), g.claims("", ""))
	p := parts(good)
	add("valid", good)
	out = append(out, generated{"valid without kid", mint(a, `{"alg":"`+a.String()+`"}`, g.claims("", "")), false, 0})

	// Claims.
	claim("exp", "exp", "1699999999", "1700000000", "1700000001", "1700000000.5", "1699999999.5", "1.7e9", "1.70000001e9", "0", "")
	claim("exp string", "exp", `"1800000000"`, `"x"`, `"2030-01-01T00:00:00Z"`)
	claim("exp null", "exp", "null")
	claim("exp list", "exp", "[1800000000]", "{}", "true")
	claim("exp negative", "exp", "-1", "-1800000000")
	claim("exp beyond int64", "exp", "1e30")
	claim("fraction beyond ns", "exp", "1700000000.00000000001")
	claim("nbf", "nbf", "1699999999", "1700000000", "1700000001", "1700000000.5", "1699999999.5", "1.7e9", "1.70000001e9", "0", "")
	claim("nbf null", "nbf", "null")
	claim("nbf list", "nbf", "[1]", "{}", "false")
	claim("iat in the future", "iat", "1700000100", "1800000000")
	claim("iat", "iat", "1699999000", "1700000000")
	claim("iss", "iss", `"https://idp.example/"`, `"https:\/\/idp.example"`, `""`, `null`, "", `"x"`)
	claim("iss list", "iss", `["https://idp.example"]`, "1")
	claim("aud", "aud", `"orders"`, `"stock2"`, `["x","orders"]`, `["x"]`, `[]`, `""`, "", "null")
	claim("aud number in a list", "aud", `["orders",1]`)
	claim("aud number", "aud", "1", `{"orders":1}`)
	claim("sub number", "sub", "1", "[]", "{}", "true")
	claim("jti number", "jti", "1", `["a"]`, "{}", "false")
	claim("iat text", "iat", `"x"`, "[1]", "{}", "true")
	claim("client number", g.pick("azp", "client_id"), "1", `["a"]`, "{}", "false")
	claim("another claim", g.pick("scope", "tid", "cid", "auth_time"), "1", `"a"`, `["a",1]`, "{}", "false", "null")
	claim("cnf", "cnf", `{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}`)
	claim("deep claim", "x", strings.Repeat("[", 20)+strings.Repeat("]", 20))
	claim("duplicate claim", "sub", `"a","sub":"b"`)
	claim("lone surrogate", "x", `"\ud800"`)
	claim("invalid UTF-8", "x", "\"\xff\"")
	claim("control character", "x", "\"\x01\"", "\"\n\"")
	claim("no JSON", "x", "01", "+1", "'a'", "NaN", "")
	for _, skew := range []int64{0, 1, 30} {
		exp := mint(a, header(a, ""), g.claims("exp", strconv.Itoa(1_700_000_000-g.Intn(40))))
		nbf := mint(a, header(a, ""), g.claims("nbf", strconv.Itoa(1_700_000_000+g.Intn(40))))
		out = append(out, generated{"exp and skew", exp, true, skew}, generated{"nbf and skew", nbf, true, skew})
	}

	// Headers.
	head("typ another", `,"typ":"dpop+jwt"`)
	head("duplicate header", `,"alg":"`+a.String()+`"`)
	head("crit", g.pick(`,"crit":["x"],"x":1`, `,"crit":["x"]`, `,"crit":[]`, `,"crit":["alg"]`))
	head("crit string", `,"crit":"x"`)
	head("crit exp", `,"crit":["exp"],"exp":1`)
	head("b64 true", `,"b64":true`)
	head("b64 false", `,"b64":false,"crit":["b64"]`)
	head("cty JWT", `,"cty":"JWT"`)
	head("enc", `,"enc":"A256GCM"`)
	head("unknown header", `,"x":{"y":[1]},"zip":"DEF"`)
	head("embedded key", `,"jku":"https://evil.example/keys"`)
	head("no JSON header", g.pick(",", `,"x":01`, `}`, `,"x":"`))
	add("kid unknown", mint(a, `{"alg":"`+a.String()+`","kid":"`+g.pick("x", "Rsa", kidOf[a]+" ")+`"}`, g.claims("", "")))
	add("kid of another", mint(a, `{"alg":"`+a.String()+`","kid":"`+kidOf[g.another()]+`"}`, g.claims("", "")))
	add("kid number", mint(a, `{"alg":"`+a.String()+`","kid":1}`, g.claims("", "")))
	add("alg none", b64(`{"alg":"none","kid":"`+kidOf[a]+`"}`)+"."+p[1]+"."+g.pick("", p[2]))
	add("alg unknown", mint(a, `{"alg":"`+g.pick("", "X", "none", "NONE", strings.ToLower(a.String()))+`","kid":"`+kidOf[a]+`"}`, g.claims("", "")))
	add("alg of another", mint(a, `{"alg":"`+g.another().String()+`","kid":"`+kidOf[a]+`"}`, g.claims("", "")))
	add("no alg", mint(a, `{"kid":"`+kidOf[a]+`"}`, g.claims("", "")))

	// Signatures and form.
	other := parts(mint(a, header(a, ""), g.claims("", "")))
	add("another's signature", p[0]+"."+p[1]+"."+other[2])
	add("another's payload", p[0]+"."+other[1]+"."+p[2])
	sig := must(base64.RawURLEncoding.DecodeString(p[2]))
	for range 6 {
		flipped := append([]byte(nil), sig...)
		flipped[g.Intn(len(flipped))] ^= 1 << g.Intn(8)
		add("flipped signature", p[0]+"."+p[1]+"."+b64(string(flipped)))
	}
	add("short signature", p[0]+"."+p[1]+"."+b64(string(sig[:g.Intn(len(sig))])))
	add("long signature", p[0]+"."+p[1]+"."+b64(string(sig)+g.pick("\x00", "x", string(sig))))
	for range 6 {
		i := g.Intn(len(p[0] + p[1]))
		input := p[0] + "." + p[1]
		if input[i] == '.' {
			i++
		}
		add("flipped text", swapChar(input, i)+"."+p[2])
	}
	for range 4 {
		i := g.Intn(len(good))
		add("cut", good[:i])
		add("character lost", good[:i]+good[i+1:])
		add("character added", good[:i]+g.pick("A", ".", "*", "é", "\x00")+good[i:])
	}
	add("space around", g.pick(" ", "\n", "\t")+good)
	add("space around", good+g.pick(" ", "\n"))
	i := len(p[0]) + 1 + g.Intn(len(p[1]))
	add("line break", signed(a, good[:i]+g.pick("\n", "\r", "\r\n")+good[i:len(p[0])+1+len(p[1])]))
	add("stray bits", signed(a, p[0]+"."+strayBits(g.t, g.claims("", ""))))
	add("padding", signed(a, p[0]+"."+base64.URLEncoding.EncodeToString([]byte(g.padded()))))
	add("plain base64", signed(a, p[0]+"."+base64.RawStdEncoding.EncodeToString([]byte(g.claims("x", `"ÿþ~~~???ÿ"`)))))
	add("JSON serialisation", `{"payload":"`+p[1]+`","protected":"`+p[0]+`","signature":"`+p[2]+`"}`)
	add("five parts", good+".AAAA.AAAA")
	return out
}

// padded are claims whose base64 needs padding.
func (g generator) padded() string {
	c := g.claims("", "")
	for len(c)%3 == 0 {
		c += " "
	}
	return c
}

// another is an algorithm of another key.
func (g generator) another() jwt.Alg {
	for {
		if a := allAlgs()[g.Intn(len(allAlgs()))]; kidOf[a] != kidOf[g.alg] {
			return a
		}
	}
}

func TestVerdictsAgreeWithJWX(t *testing.T) {
	jwxjwt.Settings(jwxjwt.WithNumericDateParsePrecision(9))
	rules := testRules()
	rules.Audiences = []string{"orders"}
	verifiers := map[int64]*jwt.Verifier{}
	for _, skew := range []int64{0, 1, 30} {
		r := rules
		r.SkewSeconds = skew
		verifiers[skew] = verifier(r)
	}
	rounds := map[jwt.Alg]int{jwt.HS256: 90, jwt.HS384: 30, jwt.HS512: 30, jwt.EdDSA: 50, jwt.ES256: 40, jwt.ES384: 6, jwt.ES512: 3,
		jwt.RS256: 10, jwt.RS384: 3, jwt.RS512: 3, jwt.PS256: 4, jwt.PS384: 3, jwt.PS512: 3}
	differences, seen := meant(), map[string]int{}
	cases, valid := 0, 0
	for a, n := range rounds {
		if testing.Short() {
			n = (n + 9) / 10
		}
		g := generator{rand.New(rand.NewSource(int64(a))), a, t}
		for range n {
			for _, c := range g.kinds() {
				theirs := jwxAccepts(c.token, c.kid, c.skew)
				res := verifiers[c.skew].Verify(c.token, testNow)
				ours := res.Reason == reason.None
				cases++
				seen[c.kind]++
				if ours {
					valid++
				}
				if ours == theirs {
					continue
				}
				d := differences[c.kind]
				if d == nil {
					t.Errorf("%s, %s: jwx %v, we %s: %q", a, c.kind, theirs, res.Reason, c.token)
					continue
				}
				d.count++
				assert.Equal(t, d.ours.String(), res.Reason.String(), "%s, %s", a, c.kind)
			}
		}
	}
	for kind, d := range differences {
		assert.NotZero(t, d.count, "%s: no difference any more", kind)
	}
	assert.Greater(t, valid, cases/10)
	if !testing.Short() {
		assert.GreaterOrEqual(t, cases, 20_000)
	}
	t.Logf("%d cases of %d kinds, %d valid", cases, len(seen), valid)
}
