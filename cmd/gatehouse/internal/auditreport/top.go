package auditreport

import (
	"cmp"
	"container/heap"
	"slices"
	"strings"
)

// identity is who was refused.
type identity struct{ userID, clientID, issuer, ip string }

// top finds who was refused most often, in constant memory: the Space-Saving algorithm (Metwally,
// Agrawal and El Abbadi, 2005). While there are no more callers than counters, it is exact. Beyond
// that, a newcomer takes the counter of the caller with the fewest refusals and its count, so that
// counts are upper bounds and nobody with many refusals is left out.
type top struct {
	max     int
	index   map[identity]*counter
	order   counters // a heap: the fewest first
	evicted bool
}

type counter struct {
	who              identity
	count            uint64 // refusals of both kinds, or more
	refused, wouldBe uint64
	at               int // in the heap
}

type counters []*counter

func (c counters) Len() int           { return len(c) }
func (c counters) Less(i, j int) bool { return c[i].count < c[j].count }
func (c counters) Swap(i, j int)      { c[i], c[j] = c[j], c[i]; c[i].at, c[j].at = i, j }
func (c *counters) Push(x any) {
	if one, ok := x.(*counter); ok {
		one.at = len(*c)
		*c = append(*c, one)
	}
}
func (c *counters) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}

func newTop(size int) *top { return &top{max: size, index: map[identity]*counter{}} }

func (t *top) add(who identity, refused bool) {
	c := t.index[who]
	if c == nil {
		own := identity{strings.Clone(who.userID), strings.Clone(who.clientID), strings.Clone(who.issuer), strings.Clone(who.ip)}
		if len(t.order) < t.max {
			c = &counter{who: own}
			heap.Push(&t.order, c)
		} else {
			c = t.order[0]
			delete(t.index, c.who)
			c.who = own
			t.evicted = true
		}
		t.index[own] = c
	}
	c.count++
	if refused {
		c.refused++
	} else {
		c.wouldBe++
	}
	heap.Fix(&t.order, c.at)
}

func (t *top) exact() bool { return !t.evicted }

func (t *top) list(n int) []Caller {
	all := slices.Clone(t.order)
	slices.SortFunc(all, func(a, b *counter) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.who.userID, b.who.userID),
			cmp.Compare(a.who.clientID, b.who.clientID), cmp.Compare(a.who.issuer, b.who.issuer), cmp.Compare(a.who.ip, b.who.ip))
	})
	out := []Caller{}
	for _, c := range all[:min(n, len(all))] {
		out = append(out, Caller{orNull(c.who.userID), orNull(c.who.clientID), orNull(c.who.issuer), orNull(c.who.ip), c.refused, c.wouldBe})
	}
	return out
}
