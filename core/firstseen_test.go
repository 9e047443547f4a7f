package core_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core"
	"gatehouse/core/ratelimit"
)

// firstSeen returns a function that takes one request with a token that is not in the cache: two
// tokens take turns in a cache that holds one. After the self-test the host says yes to every
// signature, so that only the Gate's own work is left.
func firstSeen(t testing.TB) (*gate, func()) {
	t.Helper()
	trusting := false
	verify := func(hash string, spki, sig []byte, signed string) (ok, handled bool) {
		if trusting {
			return true, true
		}
		key, err := x509.ParsePKIXPublicKey(spki)
		public, isRSA := key.(*rsa.PublicKey)
		if err != nil || !isRSA || hash != "sha256" {
			return false, false
		}
		sum := sha256.Sum256([]byte(signed))
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], sig) == nil, true
	}
	g := openWith(t, core.Host{Store: ratelimit.NewMemoryStore(), Verify: verify},
		`"tokens":{"cache_entries":1,"providers":[`+provider(t, "")+`]},`+anyone)
	trusting = true
	more := claims{
		"client_id": "web", "scope": "openid profile orders", "name": "Alice", "preferred_username": "alice",
		"iat": wall.Unix(), "auth_time": wall.Unix(), "jti": "0f8e3a52-9d1c-4b7e-8a11-000000000000",
		"realm_access": map[string]any{"roles": []string{"offline_access", "orders-read"}},
	}
	one := g.request("GET /orders/7", main(t).mint(t, more))
	more["sub"] = "bob"
	other := g.request("GET /orders/7", main(t).mint(t, more))
	return g, func() {
		one, other = other, one
		g.Decide(one, &g.decision)
	}
}

// TestAFirstSeenTokenAllocatesWhatItKeeps holds how often: for the claims, the lists and headers
// that are derived from them, the signature and the cache. Each costs a share of a garbage
// collection.
func TestAFirstSeenTokenAllocatesWhatItKeeps(t *testing.T) {
	g, once := firstSeen(t)
	for range 100 {
		once()
		require.Equal(t, core.Admit, g.decision.Verdict, "%s", g.decision.Reason)
	}
	assert.LessOrEqual(t, testing.AllocsPerRun(100, once), 20.0) // one of them with the race detector alone
	g.Flush(func(int, uint64) {}, func(int64) {})
}

func BenchmarkAdmittedWithAFirstSeenToken(b *testing.B) {
	benchmarkAdmitted(b, firstSeen)
}
