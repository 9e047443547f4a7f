package jwt_test

import (
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"gatehouse/core/jwks"
	"gatehouse/core/jwt"
	"gatehouse/core/reason"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// rotating is a source of keys whose sets change.
type rotating struct{ sets []*jwks.Set }

func (r *rotating) Keys(provider int) *jwks.Set { return r.sets[provider] }

// cost is what an entry takes beside its token and value.
const cost = 128

func TestCacheGivesBackWhatWasPutUntilTheKeyLeaves(t *testing.T) {
	a, b := strings.Repeat("a", 32), strings.Repeat("b", 32)
	both := octSet(t, [3]string{"a", a, ""}, [3]string{"b", b, ""})
	again := octSet(t, [3]string{"b", b, ""}, [3]string{"a", a, ""})
	onlyB := octSet(t, [3]string{"b", b, ""})
	newA := octSet(t, [3]string{"a", b, ""}, [3]string{"b", b, ""}) // the same kid, another secret
	for name, c := range map[string]struct {
		next       *jwks.Set
		aIn, other bool // whether a's token stays, and b's
	}{
		"the same set":              {both, true, true},
		"the same keys, read again": {again, true, true},
		"a left":                    {onlyB, false, true},
		"a was replaced":            {newA, false, true},
		"all left":                  {&jwks.Set{}, false, false},
		"no keys any more":          {nil, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			keys := &rotating{[]*jwks.Set{both, both}}
			cache := jwt.NewCache[string](10, 1<<20)
			cache.Put("token a", 0, both.Keys[0], both, 0, "A")
			cache.Put("token b", 0, both.Keys[1], both, 0, "B")
			cache.Put("token of the other provider", 1, both.Keys[0], both, 0, "C")
			keys.sets[0] = c.next
			// Asking for one provider's token settles all of its tokens, and no other's.
			v, hit := cache.Get("token b", keys)
			assert.Equal(t, c.other, hit)
			if hit {
				assert.Equal(t, "B", v)
			}
			want := 1
			if c.aIn {
				want++
			}
			if c.other {
				want++
			}
			assert.Equal(t, want, cache.Len(), "what is gone takes no room")
			_, hit = cache.Get("token a", keys)
			assert.Equal(t, c.aIn, hit)
			v, hit = cache.Get("token of the other provider", keys)
			assert.True(t, hit)
			assert.Equal(t, "C", v)
			// What has left doesn't come back with its key.
			keys.sets[0] = both
			_, hit = cache.Get("token a", keys)
			assert.Equal(t, c.aIn, hit)
		})
	}
}

func TestCacheMissesOnEveryOtherToken(t *testing.T) {
	set := ourSet()
	keys := fixedKeys{set}
	cache := jwt.NewCache[int](10, 1<<20)
	cache.Put("header.payload.signature", 0, set.Keys[0], set, 0, 1)
	for _, other := range []string{"", "header.payload.signaturf", "header.payload.signature ", "header.payload.signatur", "Header.payload.signature"} {
		_, hit := cache.Get(other, keys)
		assert.False(t, hit, other)
	}
	cache.Put("header.payload.signature", 0, set.Keys[0], set, 10, 2)
	v, hit := cache.Get("header.payload.signature", keys)
	assert.True(t, hit)
	assert.Equal(t, 2, v, "the last Put counts")
	assert.Equal(t, 1, cache.Len())
	assert.Equal(t, 24+10+cost, cache.Bytes())
}

// TestCacheNeverTakesATokenForAnother has tokens with the same end, by which the cache finds them.
func TestCacheNeverTakesATokenForAnother(t *testing.T) {
	const end = ".0123456789abcdef"
	set := ourSet()
	cache := jwt.NewCache[int](10, 1<<20)
	cache.Put("a"+end, 0, set.Keys[0], set, 0, 1)
	for _, other := range []string{"b" + end, end, end[1:], "aa" + end} {
		_, hit := cache.Get(other, fixedKeys{set})
		assert.False(t, hit, other)
	}
	cache.Put("b"+end, 0, set.Keys[0], set, 0, 2)
	v, hit := cache.Get("b"+end, fixedKeys{set})
	assert.True(t, hit)
	assert.Equal(t, 2, v)
	_, hit = cache.Get("a"+end, fixedKeys{set})
	assert.False(t, hit, "the other one took its place")
	assert.Equal(t, 1, cache.Len())
}

func TestCacheCopiesTheToken(t *testing.T) {
	set := ourSet()
	memory := []byte("token one")
	cache := jwt.NewCache[int](10, 1<<20)
	cache.Put(unsafe.String(&memory[0], len(memory)), 0, set.Keys[0], set, 0, 1)
	copy(memory, "token two") // as a host reuses its arena
	_, hit := cache.Get("token two", fixedKeys{set})
	assert.False(t, hit)
	_, hit = cache.Get("token one", fixedKeys{set})
	assert.True(t, hit)
}

func TestCacheOfNothingKeepsNothing(t *testing.T) {
	set := ourSet()
	for _, c := range []*jwt.Cache[int]{jwt.NewCache[int](0, 1<<20), jwt.NewCache[int](10, 0), jwt.NewCache[int](10, 5+cost), jwt.NewCache[int](-1, -1)} {
		c.Put("123456", 0, set.Keys[0], set, 0, 1)
		c.Put("", 0, set.Keys[0], set, 0, 1)
		assert.Zero(t, c.Len())
		assert.Zero(t, c.Bytes())
	}
}

func TestCacheSparesWhatIsUsed(t *testing.T) {
	set := ourSet()
	keys := fixedKeys{set}
	cache := jwt.NewCache[int](64, 1<<20)
	cache.Put("the busy one", 0, set.Keys[0], set, 0, -1)
	for i := range 10_000 {
		_, hit := cache.Get("the busy one", keys)
		require.True(t, hit, "after %d others", i)
		cache.Put("passer-by "+strconv.Itoa(i), 0, set.Keys[0], set, 0, i)
	}
	assert.Equal(t, 64, cache.Len())
}

func TestCacheHitAllocatesNothing(t *testing.T) {
	set := ourSet()
	var keys jwt.Keys = fixedKeys{set}
	cache := jwt.NewCache[*int](10, 1<<20)
	token := mint(jwt.RS256, header(jwt.RS256, ""), goodPayload)
	cache.Put(token, 0, set.Keys[0], set, 0, new(int))
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		if _, hit := cache.Get(token, keys); !hit {
			t.Fatal("missed")
		}
	}))
}

// TestCacheIsAMapThatForgets holds it against a plain map: whatever it still knows is right,
// whatever it shouldn't know it doesn't, and its bounds hold at every step.
func TestCacheIsAMapThatForgets(t *testing.T) {
	secrets := []string{strings.Repeat("a", 32), strings.Repeat("b", 32), strings.Repeat("c", 32)}
	sets := []*jwks.Set{nil, {}}
	for i := range secrets {
		sets = append(sets, octSet(t, [3]string{"k", secrets[i], ""}), octSet(t, [3]string{"k", secrets[i], ""}, [3]string{"l", secrets[(i+1)%3], ""}))
	}
	type put struct {
		provider, value int
		key             *jwks.Key
	}
	rapid.Check(t, func(rt *rapid.T) {
		maxEntries := rapid.IntRange(1, 8).Draw(rt, "entries")
		maxBytes := rapid.IntRange(100, 2000).Draw(rt, "bytes")
		cache := jwt.NewCache[int](maxEntries, maxBytes)
		keys := &rotating{[]*jwks.Set{sets[2], sets[3]}}
		model := map[string]put{}
		n := 0
		token := rapid.Map(rapid.IntRange(1, 20), func(i int) string { return strings.Repeat("t", i*i) })
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				p := rapid.IntRange(0, 1).Draw(rt, "provider")
				set := keys.sets[p]
				if set == nil || len(set.Keys) == 0 {
					return
				}
				k := rapid.SampledFrom(set.Keys).Draw(rt, "key")
				n++
				name := token.Draw(rt, "token")
				cache.Put(name, p, k, set, rapid.IntRange(0, 100).Draw(rt, "size"), n)
				model[name] = put{p, n, k}
			},
			"get": func(rt *rapid.T) {
				name := token.Draw(rt, "token")
				v, hit := cache.Get(name, keys)
				want, known := model[name]
				if !hit {
					return
				}
				require.True(rt, known)
				require.Equal(rt, want.value, v)
				found := false
				for _, k := range keys.sets[want.provider].Keys {
					found = found || k.Equal(want.key)
				}
				require.True(rt, found, "the key has left")
			},
			"rotate": func(rt *rapid.T) {
				keys.sets[rapid.IntRange(0, 1).Draw(rt, "provider")] = rapid.SampledFrom(sets).Draw(rt, "set")
			},
			"": func(rt *rapid.T) {
				require.LessOrEqual(rt, cache.Len(), maxEntries)
				require.LessOrEqual(rt, cache.Bytes(), maxBytes)
				require.Equal(rt, cache.Len() == 0, cache.Bytes() == 0)
			},
		})
	})
}

// TestAMillionTokens goes through verification with signed, forged and repeated tokens: the bounds
// hold, the heap stays within them, and nobody is taken for somebody else.
func TestAMillionTokens(t *testing.T) {
	total := 1_000_000
	if testing.Short() {
		total = 100_000
	}
	const maxEntries, maxBytes = 4096, 1 << 20
	type principal struct{ subject string }
	rules := testRules()
	v := verifier(rules)
	keys := fixedKeys{ourSet()}
	cache := jwt.NewCache[principal](maxEntries, maxBytes)

	// Verifying a million tokens would take minutes for nothing: each thousandth goes through the
	// verifier, the others are put as if it had.
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	token := func(i int) string {
		if i%1000 == 0 {
			return mint(jwt.HS256, header(jwt.HS256, ""), payload(t, "sub", `"s`+strconv.Itoa(i)+`"`))
		}
		return "eyJhbGciOiJIUzI1NiIsImtpZCI6InNlY3JldCJ9." + strings.Repeat("x", 40+i%300) + ".signature" + strconv.Itoa(i)
	}
	for i := range total {
		tok := token(i)
		if _, hit := cache.Get(tok, keys); hit {
			t.Fatalf("token %d was never put", i)
		}
		p := principal{"s" + strconv.Itoa(i)}
		if i%1000 == 0 {
			res := v.Verify(tok, testNow)
			require.Equal(t, reason.None, res.Reason)
			p.subject, _ = res.Claims.String("sub")
			cache.Put(tok, res.Provider, res.Key, res.Set, len(p.subject), p)
			forged := tok[:len(tok)-4] + "AAAA"
			_, hit := cache.Get(forged, keys)
			require.False(t, hit)
		} else {
			cache.Put(tok, 0, ourSet().Keys[5], ourSet(), len(p.subject), p)
		}
		if cache.Len() > maxEntries || cache.Bytes() > maxBytes {
			t.Fatalf("%d entries, %d bytes", cache.Len(), cache.Bytes())
		}
		// The newest is there, and an older one is either gone or itself.
		for _, j := range []int{i, i - i%7 - 1, i / 2} {
			if j < 0 || j%1000 == 0 && j != i {
				continue
			}
			old := tok
			if j != i {
				old = token(j)
			}
			got, hit := cache.Get(old, keys)
			if j == i && !hit || hit && got.subject != "s"+strconv.Itoa(j) {
				t.Fatalf("token %d gave %v, %v", j, got, hit)
			}
		}
	}
	assert.Greater(t, cache.Len(), 1000)
	grown := int64(heap()) - int64(before)
	assert.Less(t, grown, int64(2*maxBytes), "what it is charged is about what it takes")
	runtime.KeepAlive(cache)
}
