package jwt

import (
	"strings"

	"gatehouse/core/jwks"
)

// Cache keeps verified tokens, each with a value that its caller derived from it. It is bounded by
// entries and by bytes. When a key leaves its provider's JWK Set, the cache drops the tokens that
// the key verified. It compares whole tokens. It does not check times: its caller does, at each
// hit. It is not safe for concurrent use.
//
// Eviction is by the CLOCK algorithm: a hand goes round the entries and drops the first one that
// was not hit since the hand last passed it.
type Cache[V any] struct {
	maxEntries, maxBytes int
	bytes                int
	index                map[tail]int32
	entries              []entry[V]
	free                 []int32 // indexes of free slots among the entries
	hand                 int
	sets                 []*jwks.Set // by provider: the set that its entries were last compared with
}

// tail is the end of a token, a part of its signature. The cache finds tokens by it, so that it
// need not hash the whole of each. Tokens of different keys don't share it by chance. An issuer
// that chooses its own key can make one of its tokens share the tail of another, and so evict that
// one; but a token is never taken for another, as Get compares all of it.
type tail uint64

func tailOf(token string) (t tail) {
	for i := max(len(token)-8, 0); i < len(token); i++ {
		t = t<<8 | tail(token[i])
	}
	return t
}

type entry[V any] struct {
	token    string // "" for a free slot
	provider int
	key      *jwks.Key
	bytes    int
	hit      bool
	value    V
}

// entryOverhead is what an entry takes beside its token and value, in bytes: the entry itself and
// its share of the index.
const entryOverhead = 128

// NewCache makes a cache of at most maxEntries entries and about maxBytes bytes. With either at 0
// it keeps nothing.
func NewCache[V any](maxEntries, maxBytes int) *Cache[V] {
	return &Cache[V]{maxEntries: maxEntries, maxBytes: maxBytes, index: map[tail]int32{}}
}

// Len is the number of tokens in the cache.
func (c *Cache[V]) Len() int { return len(c.index) }

// Bytes is the estimated size of all entries. It never exceeds maxBytes.
func (c *Cache[V]) Bytes() int { return c.bytes }

// Get finds a token. If the JWK Set of its provider has changed, Get first drops the provider's
// entries whose key is not in the new set. A hit allocates nothing.
func (c *Cache[V]) Get(token string, keys Keys) (value V, hit bool) {
	i, ok := c.index[tailOf(token)]
	if !ok || c.entries[i].token != token {
		return value, false
	}
	provider := c.entries[i].provider
	c.dropOldKeys(provider, keys.Keys(provider))
	e := &c.entries[i]
	if e.token == "" {
		return value, false
	}
	e.hit = true
	return e.value, true
}

// Put adds a token that key, from the provider's set, verified. valueBytes is the estimated size of
// the value. Put copies the token, which may be the host's memory. It doesn't keep a token that is
// larger than the whole cache. A token takes the place of one with the same tail.
func (c *Cache[V]) Put(token string, provider int, key *jwks.Key, set *jwks.Set, valueBytes int, value V) {
	end := tailOf(token)
	if i, ok := c.index[end]; ok {
		c.drop(int(i))
	}
	size := len(token) + valueBytes + entryOverhead
	if token == "" || c.maxEntries < 1 || size > c.maxBytes {
		return
	}
	c.dropOldKeys(provider, set)
	for len(c.index) >= c.maxEntries || c.bytes+size > c.maxBytes {
		c.evict()
	}
	token = strings.Clone(token)
	i := c.freeSlot()
	c.entries[i] = entry[V]{token: token, provider: provider, key: key, bytes: size, value: value}
	c.index[end] = i
	c.bytes += size
}

// dropOldKeys drops the entries of a provider whose key is not in the provider's current set. It
// visits all entries, but only once for each new set. Entries keep the new set's copy of their key,
// so that the old set can be freed.
func (c *Cache[V]) dropOldKeys(provider int, set *jwks.Set) {
	for len(c.sets) <= provider {
		c.sets = append(c.sets, nil)
	}
	if c.sets[provider] == set {
		return
	}
	c.sets[provider] = set
	for i := range c.entries {
		e := &c.entries[i]
		if e.token == "" || e.provider != provider {
			continue
		}
		if e.key = findEqual(set, e.key); e.key == nil {
			c.drop(i)
		}
	}
}

// findEqual finds the set's copy of a key; nil if the set lacks it.
func findEqual(set *jwks.Set, key *jwks.Key) *jwks.Key {
	if set == nil {
		return nil
	}
	for _, k := range set.Keys {
		if k.Equal(key) {
			return k
		}
	}
	return nil
}

// freeSlot is the index of a free slot among the entries.
func (c *Cache[V]) freeSlot() int32 {
	if n := len(c.free); n > 0 {
		i := c.free[n-1]
		c.free = c.free[:n-1]
		return i
	}
	c.entries = append(c.entries, entry[V]{})
	return int32(len(c.entries) - 1)
}

// evict drops one entry. The cache must not be empty.
func (c *Cache[V]) evict() {
	for {
		c.hand = (c.hand + 1) % len(c.entries)
		e := &c.entries[c.hand]
		switch {
		case e.token == "":
		case e.hit:
			e.hit = false
		default:
			c.drop(c.hand)
			return
		}
	}
}

func (c *Cache[V]) drop(i int) {
	e := &c.entries[i]
	delete(c.index, tailOf(e.token))
	c.bytes -= e.bytes
	*e = entry[V]{}
	c.free = append(c.free, int32(i))
}
