package jwt

import (
	"strings"

	"gatehouse/core/jwks"
)

// IssuerPattern is an issuer with the name of a claim in place of one segment of its path, as Entra
// ID's "https://login.microsoftonline.com/{tid}/v2.0". The zero IssuerPattern fits no issuer.
type IssuerPattern struct {
	Claim  string // the name between the braces
	before string // ends in "/"
	after  string // "", or begins with "/"
}

// ParseIssuer reads a configured issuer. pattern is false for an issuer without braces, which is
// compared exactly. ok is false if the braces don't stand for one whole segment of the path of a
// URL.
func ParseIssuer(issuer string) (p IssuerPattern, pattern, ok bool) {
	if !strings.ContainsAny(issuer, "{}") {
		return p, false, true
	}
	before, rest, _ := strings.Cut(issuer, "{")
	claim, after, closed := strings.Cut(rest, "}")
	_, path, isURL := strings.Cut(before, "://")
	slash := strings.IndexByte(path, '/')
	switch {
	case !closed, claim == "", strings.ContainsAny(claim+after, "{}"), strings.IndexByte(claim, '/') >= 0:
	case !isURL, slash < 1, !strings.HasSuffix(path, "/"), after != "" && after[0] != '/':
	default:
		return IssuerPattern{claim, before, after}, true, true
	}
	return IssuerPattern{}, true, false
}

// Segment is what an issuer has in the place of the braces. ok is false if the issuer doesn't fit:
// it must be the pattern with a segment that is not empty and has none of "/ ? # %".
func (p IssuerPattern) Segment(issuer string) (segment string, ok bool) {
	if p.Claim == "" || len(issuer) <= len(p.before)+len(p.after) ||
		!strings.HasPrefix(issuer, p.before) || !strings.HasSuffix(issuer, p.after) {
		return "", false
	}
	segment = issuer[len(p.before) : len(issuer)-len(p.after)]
	return segment, isSegment(segment)
}

// Overlaps reports whether some issuer fits both patterns.
func (p IssuerPattern) Overlaps(o IssuerPattern) bool {
	// The name of a claim is no segment, so that it can't be taken for one here.
	const wildcard = "{}"
	mine, others := strings.Split(p.before+wildcard+p.after, "/"), strings.Split(o.before+wildcard+o.after, "/")
	if len(mine) != len(others) {
		return false
	}
	for i := range mine {
		a, b := mine[i], others[i]
		fits := a == b || a == wildcard && isSegment(b) || b == wildcard && isSegment(a)
		if !fits {
			return false
		}
	}
	return true
}

func isSegment(s string) bool { return s != "" && !strings.ContainsAny(s, "/?#%") }

// servesSegment reports whether a key of a set that many tenants share may sign for one of them: it
// has no "issuer", one with a placeholder of its own, or one that has the tenant as a segment of
// its path.
func servesSegment(k *jwks.Key, segment string) bool {
	if k.Issuer == "" {
		return true
	}
	if _, rest, open := strings.Cut(k.Issuer, "{"); open && strings.IndexByte(rest, '}') >= 0 {
		return true
	}
	_, rest, _ := strings.Cut(k.Issuer, "://")
	_, path, _ := strings.Cut(rest, "/")
	for path != "" {
		var s string
		if s, path, _ = strings.Cut(path, "/"); s == segment {
			return true
		}
	}
	return false
}
