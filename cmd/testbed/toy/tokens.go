package toy

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"
)

// Claims are a token's claims.
type Claims map[string]any

// With returns a copy in which a claim has a value.
func (c Claims) With(name string, value any) Claims {
	c = maps.Clone(c)
	c[name] = value
	return c
}

// Without returns a copy that lacks a claim.
func (c Claims) Without(name string) Claims {
	c = maps.Clone(c)
	delete(c, name)
	return c
}

// Claims returns the claims of every good token of the issuer: iss, sub, aud, iat (now) and exp (in
// lifetime).
func (i *Issuer) Claims(subject, audience string, lifetime time.Duration) Claims {
	now := time.Now()
	return Claims{
		"iss": i.name, "sub": subject, "aud": audience, "iat": now.Unix(), "exp": now.Add(lifetime).Unix(),
	}
}

// Human returns the claims of a token after a login: with name, e-mail and the time of the login.
func (i *Issuer) Human(user, audience string, lifetime time.Duration) Claims {
	c := i.Claims(user, audience, lifetime)
	c["client_id"], c["scope"] = "web", "openid profile"
	c["name"], c["email"], c["auth_time"] = strings.ToUpper(user[:1])+user[1:], user+"@example.com", c["iat"]
	return c
}

// Machine returns the claims of a client credentials grant (RFC 9068, section 2.2): the client is
// its own subject.
func (i *Issuer) Machine(clientID, audience string, lifetime time.Duration, scopes ...string) Claims {
	c := i.Claims(clientID, audience, lifetime)
	c["client_id"], c["scope"] = clientID, strings.Join(scopes, " ")
	return c
}

// signing is how a token is signed.
type signing struct {
	alg    string
	key    any // nil for the issuer's own
	header map[string]any
}

// SignOption changes how [Issuer.Sign] signs.
type SignOption func(*signing)

// Algorithm signs by one of RS, PS and ES 256, 384, 512 and EdDSA with the issuer's own key,
// instead of by RS256.
func Algorithm(alg string) SignOption { return func(s *signing) { s.alg = alg } }

// Key signs by an algorithm with a key of the caller's: a stranger's, or bytes for HS256, HS384 and
// HS512.
func Key(alg string, key any) SignOption { return func(s *signing) { s.alg, s.key = alg, key } }

// Header sets a header parameter, or removes it where value is nil.
func Header(name string, value any) SignOption { return func(s *signing) { s.header[name] = value } }

// Sign returns the claims as a JWS in compact form, with kid and typ JWT in its header unless an
// option changes them.
func (i *Issuer) Sign(claims Claims, options ...SignOption) (string, error) {
	s := signing{alg: "RS256", header: map[string]any{"typ": "JWT"}}
	for _, option := range options {
		option(&s)
	}
	i.keysMu.Lock()
	own, ok := i.keys[keyFor(s.alg)]
	i.keysMu.Unlock()
	if s.key == nil {
		if !ok {
			return "", fmt.Errorf("the issuer has no key for %s", s.alg)
		}
		s.key = own.private
	}
	if _, set := s.header["kid"]; !set && ok {
		s.header["kid"] = own.kid
	}
	alg, ok := jwa.LookupSignatureAlgorithm(s.alg)
	if !ok {
		return "", fmt.Errorf("unknown algorithm %s", s.alg)
	}
	headers := jws.NewHeaders()
	for name, value := range s.header {
		if value == nil {
			continue
		}
		if err := headers.Set(name, value); err != nil {
			return "", err
		}
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	token, err := jws.Sign(payload, jws.WithKey(alg, s.key, jws.WithProtectedHeaders(headers)))
	return string(token), err
}

// Unsigned returns the claims as an unsecured JWS: alg none and no signature (RFC 7515, appendix
// A.5).
func Unsigned(claims Claims) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	token, err := jws.Sign(payload, jws.WithInsecureNoSignature())
	return string(token), err
}

// Tampered returns a token with one bit of its signature changed, in the same form.
func Tampered(token string) (string, error) {
	start := strings.LastIndexByte(token, '.') + 1
	signature, err := base64.RawURLEncoding.DecodeString(token[start:])
	if err != nil {
		return "", err
	}
	if start == 0 || len(signature) == 0 {
		return "", fmt.Errorf("a token without a signature")
	}
	signature[len(signature)/2] ^= 1
	return token[:start] + base64.RawURLEncoding.EncodeToString(signature), nil
}

// Forged returns a token whose claims were replaced, under the old signature.
func Forged(token string, claims Claims) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", fmt.Errorf("not a JWS in compact form")
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	parts[1] = base64.RawURLEncoding.EncodeToString(payload)
	return strings.Join(parts, "."), nil
}
