package soak_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"gatehouse/cmd/testbed/toy"
)

// identity is somebody who calls, with a token that is minted anew from time to time.
type identity struct {
	issuer   *issuer
	claims   func() toy.Claims
	alg      string
	lifetime time.Duration

	mu      sync.Mutex
	token   string
	number  int // the token's in the record
	expires time.Time
	bad     int // answers 401 that the token got in a row
}

// current returns the identity's token and the token's number. A token serves for a while after it
// has expired, so that expired ones are sent too, and is replaced if it was refused a few times.
func (i *identity) current(rec *record, random *rand.Rand) (token string, number int, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	expired := time.Since(i.expires) > 0
	if i.token == "" || expired && random.IntN(3) == 0 || i.bad > 2 {
		claims := i.claims()
		if i.token, err = i.issuer.Sign(claims, toy.Algorithm(i.alg)); err != nil {
			return "", 0, err
		}
		i.number, i.bad, i.expires = rec.token(i.token), 0, time.Unix(claims["exp"].(int64), 0)
	}
	return i.token, i.number, nil
}

// answered tells the identity what its token got.
func (i *identity) answered(status int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if status == 401 {
		i.bad++
	} else {
		i.bad = 0
	}
}

// newIdentities makes identities of all kinds over all issuers.
func newIdentities(issuers []*issuer, n int, random *rand.Rand) []*identity {
	out := make([]*identity, 0, n)
	for k := range n {
		is := issuers[k%len(issuers)]
		kind := random.IntN(10)
		lifetime := 2 * time.Hour
		if random.IntN(7) == 0 {
			lifetime = time.Duration(4+random.IntN(40)) * time.Second
		}
		id := &identity{issuer: is, alg: "RS256", lifetime: lifetime}
		if random.IntN(8) == 0 {
			id.alg = "ES256"
		}
		scopes := pick(random, "openid profile", "openid profile reports/read", "openid admin", "profile", "")
		plan, tenant := pick(random, "free", "pro", "pro"), pick(random, "a", "b", "c", "")
		name := fmt.Sprintf("caller%04d", k)
		jobs, groups := pick(random, "jobs/write", "jobs/read", "jobs/read jobs/write"), pick(random, "reporting", "ops")
		id.claims = func() toy.Claims {
			var c toy.Claims
			switch {
			case kind < 5:
				c = is.Human(name, "orders", lifetime).With("scope", scopes)
			case kind < 9:
				c = is.Machine(name, "orders", lifetime, strings.Fields(jobs)...).With("groups", []string{groups})
			default: // nothing tells what the caller is
				c = is.Claims(name, "orders", lifetime).With("client_id", "web").With("scope", scopes)
			}
			c["plan"], c["jti"] = plan, fmt.Sprintf("%s-%d", name, time.Now().UnixNano())
			if tenant != "" {
				c["tenant"] = tenant
			}
			if is.provider == "partner" {
				c["token_use"] = "access"
			}
			return c
		}
		out = append(out, id)
	}
	return out
}

func pick(random *rand.Rand, words ...string) string { return words[random.IntN(len(words))] }

// badToken is a token that no route but one without authentication takes. expired, not_yet_valid
// and the like are as good as any other in all but one thing.
type badToken struct {
	text   string
	number int
}

// newBadTokens mints a few of each kind of bad token.
func newBadTokens(rec *record, issuers []*issuer) (out []badToken, err error) {
	stranger, err := toy.StartIssuer("", "https://stranger.example")
	if err != nil {
		return nil, err
	}
	defer stranger.Stop()
	for k := range 6 {
		is := issuers[k%len(issuers)]
		texts, err := badTokensOf(is, stranger, fmt.Sprintf("bad%d", k))
		if err != nil {
			return nil, err
		}
		for _, text := range texts {
			out = append(out, badToken{text, rec.token(text)})
		}
	}
	return out, nil
}

func badTokensOf(is *issuer, stranger *toy.Issuer, name string) (texts []string, err error) {
	add := func(token string, failure error) {
		if failure != nil {
			err = failure
		}
		texts = append(texts, token)
	}
	good := is.Human(name, "orders", 2*time.Hour).With("jti", name).With("token_use", "access")
	token, failure := is.Sign(good)
	if failure != nil {
		return nil, failure
	}
	add(toy.Tampered(token))
	add(toy.Forged(token, good.With("sub", "root")))
	add(toy.Unsigned(good))
	add(stranger.Sign(good))                                 // another's key under a kid that is known
	add(stranger.Sign(good, toy.Header("kid", "elsewhere"))) // and under one that isn't
	add(stranger.Sign(stranger.Human(name, "orders", 2*time.Hour)))
	for _, claims := range []toy.Claims{
		good.With("aud", "billing"), good.Without("aud"), good.With("exp", time.Now().Add(-time.Minute).Unix()), good.Without("exp"),
		good.With("nbf", time.Now().Add(time.Hour).Unix()), good.With("iss", "https://nobody.example"),
	} {
		add(is.Sign(claims))
	}
	if is.provider == "partner" {
		add(is.Sign(good.Without("jti")))
		add(is.Sign(good.With("token_use", "id")))
	}
	add(is.Sign(good, toy.Algorithm("ES384")))
	add(is.Sign(good, toy.Header("typ", "dpop+jwt")))
	add(is.Sign(good.With("padding", strings.Repeat("x", 16<<10)))) // above max_token_bytes
	texts = append(texts, "not-a-token", "a.b.c", token[:len(token)/2])
	return texts, err
}
