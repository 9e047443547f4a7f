package jwt_test

import (
	"strconv"
	"strings"
	"testing"

	"gatehouse/core/jwt"
	"gatehouse/core/reason"
)

func BenchmarkVerify(b *testing.B) {
	v := verifier(testRules())
	for _, a := range []jwt.Alg{jwt.RS256, jwt.PS256, jwt.ES256, jwt.EdDSA, jwt.HS256} {
		token := mint(a, header(a, `,"typ":"JWT"`), goodPayload)
		b.Run(a.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if v.Verify(token, testNow).Reason != reason.None {
					b.Fatal("refused")
				}
			}
		})
	}
}

func BenchmarkCacheHit(b *testing.B) {
	var keys jwt.Keys = fixedKeys{ourSet()}
	cache := jwt.NewCache[*int](4096, 16<<20)
	token := mint(jwt.RS256, header(jwt.RS256, ""), goodPayload)
	cache.Put(token, 0, ourSet().Keys[0], ourSet(), 0, new(int))
	b.ReportAllocs()
	for b.Loop() {
		if _, hit := cache.Get(token, keys); !hit {
			b.Fatal("missed")
		}
	}
}

// BenchmarkCacheReplaces puts first-seen tokens into a full cache: each one evicts another.
func BenchmarkCacheReplaces(b *testing.B) {
	const size = 64
	set := ourSet()
	cache := jwt.NewCache[*int](size, 16<<20)
	tokens := make([]string, 2*size)
	for i := range tokens {
		tokens[i] = mint(jwt.HS256, header(jwt.HS256, ""), strings.Replace(goodPayload, "alice", "alice"+strconv.Itoa(i), 1))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		cache.Put(tokens[i%len(tokens)], 0, set.Keys[0], set, 0, new(int))
	}
	if cache.Len() != size {
		b.Fatalf("%d tokens", cache.Len())
	}
}
