package policy

import (
	"math"
	"strings"
)

// Table finds the first route that matches a request. It is immutable.
type Table struct {
	routes []Route
	root   node
}

// node is a segment in the trie of all patterns. A search descends by the segments of the path,
// along the literal and the * branch. So its cost grows with the depth of the path, not with the
// number of routes.
type node struct {
	first    int32 // the lowest index of a route at or below this node
	exact    []int32
	tree     []int32
	literals map[string]*node
	star     *node
}

// NewTable indexes routes, which are in order of precedence. It keeps the slice, which must not
// change.
func NewTable(routes []Route) *Table {
	t := &Table{routes: routes, root: node{first: math.MaxInt32}}
	for i := range routes {
		if routes[i].Pattern.text != "" {
			t.root.insert(routes[i].Pattern, int32(i))
		}
	}
	return t
}

// insert adds a route. Routes are inserted in order, so each list is sorted.
func (n *node) insert(p Pattern, route int32) {
	n.first = min(n.first, route)
	for _, segment := range p.segments {
		n = n.child(segment)
		n.first = min(n.first, route)
	}
	if p.tree {
		n.tree = append(n.tree, route)
	} else {
		n.exact = append(n.exact, route)
	}
}

func (n *node) child(segment string) *node {
	if segment == "*" {
		if n.star == nil {
			n.star = &node{first: math.MaxInt32}
		}
		return n.star
	}
	child := n.literals[segment]
	if child == nil {
		if n.literals == nil {
			n.literals = map[string]*node{}
		}
		child = &node{first: math.MaxInt32}
		n.literals[segment] = child
	}
	return child
}

// Match returns the index of the first route that matches host (from NormalizeHost), method and
// path (from NormalizePath or PathRules.Read), or -1. It doesn't allocate.
func (t *Table) Match(host, method, path string) int {
	segments, ok := segmentsOf(path)
	if !ok {
		return -1
	}
	s := search{routes: t.routes, host: host, method: method, best: math.MaxInt32}
	s.descend(&t.root, segments)
	if s.best == math.MaxInt32 {
		return -1
	}
	return int(s.best)
}

// Route returns the route at an index from Match. It must not be changed.
func (t *Table) Route(i int) *Route { return &t.routes[i] }

// search looks for the lowest route that matches; best is the lowest found so far.
type search struct {
	routes       []Route
	host, method string
	best         int32
}

func (s *search) descend(n *node, segments string) {
	s.take(n.tree)
	if segments == "" {
		s.take(n.exact)
		return
	}
	first, rest, _ := strings.Cut(segments, "/")
	literal := n.literals[first]
	if literal != nil && literal.first < s.best {
		s.descend(literal, rest)
	}
	if n.star != nil && first != "" && n.star.first < s.best {
		s.descend(n.star, rest)
	}
}

func (s *search) take(candidates []int32) {
	for _, i := range candidates {
		if i >= s.best {
			return
		}
		if s.routes[i].admits(s.host, s.method) {
			s.best = i
			return
		}
	}
}
