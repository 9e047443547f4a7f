package scenario

import (
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"

	"gatehouse/cmd/testbed/toy"
)

// Token says how a token is minted.
type Token struct {
	// Like names the token of the common ones that this one differs from.
	Like string `yaml:"like"`
	// Claims are added to iss, aud, iat and exp (in an hour); null removes one. "+60" and "-60" in
	// exp, nbf, iat and auth_time are seconds from the scenario's beginning.
	Claims map[string]any `yaml:"claims"`
	// Alg is the algorithm, RS256 if empty.
	Alg string `yaml:"alg"`
	// Header changes the JOSE header, which has typ JWT and the key's kid; null removes a member.
	Header map[string]any `yaml:"header"`
	// Key is "" for the issuer's own, "stranger" for one that nobody published, else the secret for
	// HS256, HS384 and HS512.
	Key string `yaml:"key"`
	// Payload is signed as it is in place of claims; HS* only.
	Payload string `yaml:"payload"`
	// Mutate names a change to the signed token: see mutations.
	Mutate string `yaml:"mutate"`
	// Raw is the token, as it is.
	Raw string `yaml:"raw"`
	// Pad adds a claim of this many bytes.
	Pad int `yaml:"pad"`
}

// stranger is a key that is in no JWK Set.
var stranger = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// Minted are a scenario's tokens.
type Minted struct {
	Tokens map[string]string
	Claims map[string]toy.Claims
}

// Mint makes all tokens that the scenario can name, as of now.
func (s *Scenario) Mint(issuer *toy.Issuer, now time.Time) (*Minted, error) {
	m := &Minted{map[string]string{}, map[string]toy.Claims{}}
	for name := range s.named() {
		spec, err := s.token(name)
		if err != nil {
			return nil, err
		}
		claims := spec.claims(now)
		token, err := spec.sign(issuer, claims)
		if err != nil {
			return nil, fmt.Errorf("token %s: %w", name, err)
		}
		m.Tokens[name], m.Claims[name] = token, claims
	}
	return m, nil
}

// token is a token with the fields of those that it is like.
func (s *Scenario) token(name string) (Token, error) {
	spec, ok := s.Tokens[name]
	if !ok {
		spec, ok = s.common.Tokens[name]
	}
	if !ok {
		return spec, fmt.Errorf("no token %q", name)
	}
	for depth := 0; spec.Like != ""; depth++ {
		like, ok := s.common.Tokens[spec.Like]
		if !ok || depth > 8 {
			return spec, fmt.Errorf("token %s: no token %q", name, spec.Like)
		}
		spec = like.overlaid(spec)
	}
	return spec, nil
}

var tokenName = regexp.MustCompile(`\{token:([^}]*)\}`)

// named are the tokens that the scenario's requests carry.
func (s *Scenario) named() map[string]bool {
	names := map[string]bool{}
	for i := range s.Steps {
		r := &s.Steps[i].Request
		for _, text := range append([]string{r.Path}, r.Headers...) {
			for _, m := range tokenName.FindAllStringSubmatch(text, -1) {
				names[m[1]] = true
			}
		}
		for _, name := range []string{r.Token, s.Steps[i].Foreign.Token} {
			if name != "" {
				names[name] = true
			}
		}
	}
	return names
}

// overlaid returns t with the fields of other in place of its own.
func (t Token) overlaid(other Token) Token {
	out := other
	out.Like = t.Like
	out.Claims = maps.Clone(t.Claims)
	if out.Claims == nil {
		out.Claims = map[string]any{}
	}
	maps.Copy(out.Claims, other.Claims)
	if out.Alg == "" {
		out.Alg = t.Alg
	}
	if out.Key == "" {
		out.Key = t.Key
	}
	out.Header = maps.Clone(t.Header)
	if out.Header == nil {
		out.Header = map[string]any{}
	}
	maps.Copy(out.Header, other.Header)
	return out
}

var relative = regexp.MustCompile(`^[+-][0-9]+$`)

func (t Token) claims(now time.Time) toy.Claims {
	c := toy.Claims{"iss": IssuerName, "aud": "orders", "iat": now.Unix(), "exp": now.Unix() + 3600}
	for name, value := range t.Claims {
		switch text, isText := value.(string); {
		case value == nil:
			delete(c, name)
		case isText && relative.MatchString(text):
			seconds, _ := strconv.ParseInt(text, 10, 64)
			c[name] = now.Unix() + seconds
		default:
			c[name] = value
		}
	}
	if t.Pad > 0 {
		c["pad"] = strings.Repeat("x", t.Pad)
	}
	return c
}

func (t Token) sign(issuer *toy.Issuer, claims toy.Claims) (string, error) {
	if t.Raw != "" {
		return t.Raw, nil
	}
	if t.Payload != "" {
		alg, ok := jwa.LookupSignatureAlgorithm(t.Alg)
		if !ok || t.Key == "" {
			return "", fmt.Errorf("payload needs an HS algorithm and its key")
		}
		token, err := jws.Sign([]byte(t.Payload), jws.WithKey(alg, []byte(t.Key)))
		return string(token), err
	}
	if t.Mutate == "unsigned" {
		return toy.Unsigned(claims)
	}
	var options []toy.SignOption
	alg := t.Alg
	if alg == "" {
		alg = "RS256"
	}
	switch t.Key {
	case "":
		options = append(options, toy.Algorithm(alg))
	case "stranger":
		key, err := stranger()
		if err != nil {
			return "", err
		}
		options = append(options, toy.Key(alg, key))
	default:
		options = append(options, toy.Key(alg, []byte(t.Key)))
	}
	for name, value := range t.Header {
		options = append(options, toy.Header(name, texts(value)))
	}
	token, err := issuer.Sign(claims, options...)
	if err != nil || t.Mutate == "" {
		return token, err
	}
	mutate, ok := mutations[t.Mutate]
	if !ok {
		return "", fmt.Errorf("no mutation %q", t.Mutate)
	}
	return mutate(token, claims)
}

// texts converts a list to the type that the library wants for crit.
func texts(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	out := make([]string, len(list))
	for i := range list {
		out[i] = fmt.Sprint(list[i])
	}
	return out
}

// mutations are what may happen to a token after it was signed, beside "unsigned".
var mutations = map[string]func(token string, claims toy.Claims) (string, error){
	// One bit of the signature is another.
	"signature": func(token string, _ toy.Claims) (string, error) { return toy.Tampered(token) },
	// The claims are another user's, under the old signature.
	"claims": func(token string, c toy.Claims) (string, error) { return toy.Forged(token, c.With("sub", "mallory")) },
	// The signature is left out.
	"no signature": func(token string, _ toy.Claims) (string, error) {
		return token[:strings.LastIndexByte(token, '.')+1], nil
	},
	// The header says alg none, but there is a signature.
	"none header": func(token string, _ toy.Claims) (string, error) {
		return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + token[strings.IndexByte(token, '.'):], nil
	},
	// The base64 has padding, which RFC 7515 §2 doesn't allow.
	"padded": func(token string, _ toy.Claims) (string, error) { return token + "==", nil },
	// The form of JWE: five parts (RFC 7516 §3.1).
	"five parts": func(token string, _ toy.Claims) (string, error) { return token + ".AAAA.AAAA", nil },
	// The unused bits of the signature's last character are set: a second spelling of the same
	// bytes.
	"second spelling": func(token string, _ toy.Claims) (string, error) {
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		last := strings.IndexByte(alphabet, token[len(token)-1])
		return token[:len(token)-1] + string(alphabet[last|1]), nil
	},
}

// Expand puts tokens in where the text has {token:NAME}.
func (m *Minted) Expand(text string) string {
	return tokenName.ReplaceAllStringFunc(text, func(name string) string {
		return m.Tokens[tokenName.FindStringSubmatch(name)[1]]
	})
}

// Conceal puts {token:NAME} where the text has a token, so that what runners saw can be compared:
// each has tokens of its own.
func (m *Minted) Conceal(text string) string {
	names := slices.SortedFunc(maps.Keys(m.Tokens), func(a, b string) int { // one token may contain another
		return cmp.Or(len(m.Tokens[b])-len(m.Tokens[a]), strings.Compare(a, b))
	})
	for _, name := range names {
		text = strings.ReplaceAll(text, m.Tokens[name], "{token:"+name+"}")
	}
	return text
}

// Payload is a token's claims as JSON.
func (m *Minted) Payload(name string) ([]byte, error) { return json.Marshal(m.Claims[name]) }
