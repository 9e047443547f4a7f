package jwt

import (
	"strings"

	"gatehouse/core/jwks"
)

// Cache remembers tokens that were verified, with a value of the caller's. It is bounded by entries and by bytes, and
// follows the providers' keys: a key that leaves its JWK Set takes its tokens along. A token is found by all of its
// bytes, and never under another provider than the one its key belongs to, as its issuer decides that. Times are the
// caller's to check at each hit. It is not safe for use by several goroutines.
//
// Eviction is by CLOCK: a hand goes round the entries, spares once those that were hit since it last came by, and drops
// the first other one.
type Cache[V any] struct {
	maxEntries, maxBytes int
	bytes                int
	index                map[string]int32
	entries              []entry[V]
	free                 []int32 // empty places among the entries
	hand                 int
	sets                 []*jwks.Set // by provider: what its entries were last held against
}

type entry[V any] struct {
	token    string // "" for an empty place
	provider int
	key      *jwks.Key
	bytes    int
	hit      bool
	value    V
}

// entryOverhead is charged for an entry beside its token and value: the entry itself, its share of the index.
const entryOverhead = 128

// NewCache makes a cache of at most maxEntries entries that take at most about maxBytes bytes. With either at 0 it keeps
// nothing.
func NewCache[V any](maxEntries, maxBytes int) *Cache[V] {
	return &Cache[V]{maxEntries: maxEntries, maxBytes: maxBytes, index: map[string]int32{}}
}

// Len is the number of tokens remembered.
func (c *Cache[V]) Len() int { return len(c.index) }

// Bytes is the sum of what the remembered tokens are charged; it never exceeds the bound.
func (c *Cache[V]) Bytes() int { return c.bytes }

// Get finds a token. If its provider's JWK Set is another than at the last look, the provider's entries whose key isn't
// in the new one are dropped first. A hit allocates nothing.
func (c *Cache[V]) Get(token string, keys Keys) (value V, hit bool) {
	i, ok := c.index[token]
	if !ok {
		return value, false
	}
	provider := c.entries[i].provider
	c.follow(provider, keys.Keys(provider))
	e := &c.entries[i]
	if e.token == "" {
		return value, false
	}
	e.hit = true
	return e.value, true
}

// Put remembers a token that key, found in the provider's set, has verified. valueBytes is what the value takes beside
// the entry. The token is copied: it may be the host's memory. A token too large for the whole cache is not kept.
func (c *Cache[V]) Put(token string, provider int, key *jwks.Key, set *jwks.Set, valueBytes int, value V) {
	if i, ok := c.index[token]; ok {
		c.drop(int(i))
	}
	size := len(token) + valueBytes + entryOverhead
	if token == "" || c.maxEntries < 1 || size > c.maxBytes {
		return
	}
	c.follow(provider, set)
	for len(c.index) >= c.maxEntries || c.bytes+size > c.maxBytes {
		c.evict()
	}
	token = strings.Clone(token)
	i := c.place()
	c.entries[i] = entry[V]{token: token, provider: provider, key: key, bytes: size, value: value}
	c.index[token] = i
	c.bytes += size
}

// follow holds a provider's entries against its current set. It goes over all entries, once for each new set, so that
// neither they nor their old sets outlive the key.
func (c *Cache[V]) follow(provider int, set *jwks.Set) {
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
		if e.key = find(set, e.key); e.key == nil {
			c.drop(i)
		}
	}
}

// find gives the set's own copy of a key.
func find(set *jwks.Set, key *jwks.Key) *jwks.Key {
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

func (c *Cache[V]) place() int32 {
	if n := len(c.free); n > 0 {
		i := c.free[n-1]
		c.free = c.free[:n-1]
		return i
	}
	c.entries = append(c.entries, entry[V]{})
	return int32(len(c.entries) - 1)
}

// evict drops one entry; there is one.
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
	delete(c.index, e.token)
	c.bytes -= e.bytes
	*e = entry[V]{}
	c.free = append(c.free, int32(i))
}
