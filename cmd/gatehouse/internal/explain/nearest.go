package explain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Near is a route that didn't match a request, and what it lacked.
type Near struct {
	Index  int    `json:"index"`
	Name   string `json:"name"`
	Path   string `json:"path"`
	Lacked string `json:"lacked"`
}

// Nearest finds the route that most nearly matched a request among those that would have decided it
// in place of the route matched: the earlier ones, or all of them if none matched (-1). It is nil
// if none of them has anything in common with the request. path is the request's, without its
// query; host is "" if it isn't known.
func (c *Configured) Nearest(method, host, path string, matched int) *Near {
	routes := c.Routes
	if matched >= 0 {
		routes = routes[:min(matched, len(routes))]
	}
	var best *Near
	most := 0
	for i := range routes {
		r := &routes[i]
		points, lacked := c.closeness(r, method, host, path)
		if len(lacked) == 0 || points <= most {
			continue
		}
		most = points
		best = &Near{i, r.Name, r.Path, strings.Join(lacked, "; ")}
	}
	return best
}

// closeness says how near a route comes to matching, and what it lacks.
func (c *Configured) closeness(r *Route, method, host, path string) (points int, lacked []string) {
	segments, missing := c.samePath(r.Path, path)
	points = segments
	if missing == "" {
		points += 1000
	} else {
		lacked = append(lacked, missing)
	}
	if len(r.Methods) > 0 && !slices.Contains(r.Methods, method) {
		lacked = append(lacked, fmt.Sprintf("method %s, want %s", quote(method), or(r.Methods)))
	} else if points > 0 {
		points += 2
	}
	if host != "" && len(r.Hosts) > 0 && !slices.ContainsFunc(r.Hosts, func(h string) bool { return sameHost(h, host) }) {
		lacked = append(lacked, fmt.Sprintf("host %s, want %s", quote(host), or(r.Hosts)))
	} else if points > 0 {
		points++
	}
	return points, lacked
}

// samePath counts the leading segments of a path that a pattern matches, and says what it misses.
func (c *Configured) samePath(pattern, path string) (segments int, missing string) {
	if c.PathCase == "ignore" {
		pattern, path = strings.ToLower(pattern), strings.ToLower(path)
	}
	want, tree := strings.CutSuffix(strings.TrimSuffix(pattern, "/"), "/**")
	ws, ps := parts(want), parts(path)
	for i, w := range ws {
		if i >= len(ps) {
			return 4 * i, "the path ends before /" + strings.Join(ws[i:], "/")
		}
		if w != "*" && w != ps[i] {
			return 4 * i, fmt.Sprintf("segment %d of the path is %s, want %s", i+1, quote(ps[i]), quote(w))
		}
	}
	if !tree && len(ps) > len(ws) {
		return 4 * len(ws), "the path goes on with " + quote("/"+strings.Join(ps[len(ws):], "/")) + ": /** at the end would match it"
	}
	return 4 * len(ws), ""
}

// parts are a path's segments; one slash at its end doesn't count.
func parts(path string) []string {
	path = strings.TrimPrefix(path, "/")
	path = strings.TrimSuffix(path, "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

func sameHost(pattern, host string) bool {
	host, pattern = strings.ToLower(host), strings.ToLower(pattern)
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	host = strings.TrimSuffix(host, ".")
	domain, wild := strings.CutPrefix(pattern, "*")
	return host == pattern || wild && strings.HasSuffix(host, domain) && len(host) > len(domain)
}

// quote is a text of a request's in a sentence.
func quote(s string) string {
	const most = 100
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "…"
	}
	return strconv.QuoteToASCII(s)
}

func or(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
