// Package policytest has what tests hold the reading of paths against: models of how servers read
// them, and a corpus of spellings of one path.
package policytest

import (
	"net/url"
	"path"
	"regexp"
	"strings"
)

// decoded is a segment or a path after percent-decoding. A percent sign that begins no escape stays
// one.
func decoded(s string) string {
	return regexp.MustCompile(`%[0-9A-Fa-f]{2}`).ReplaceAllStringFunc(s, func(escape string) string {
		c, _ := url.PathUnescape(escape)
		return c
	})
}

var parameters = regexp.MustCompile(`;[^/]*`)

// Servers are ways in which real servers read a path, without its query, written with the standard
// library: each returns the decoded segments.
var Servers = map[string]func(p string) []string{
	"keeps encoded slashes (Envoy, Go's EscapedPath)": func(p string) []string { return Segments(p) },
	"decodes, then splits (WSGI, Rack)":               func(p string) []string { return strings.Split(decoded(p), "/") },
	"decodes, then cleans (nginx, net/http)":          func(p string) []string { return strings.Split(path.Clean(decoded(p)), "/") },
	"merges slashes and keeps encoded ones": func(p string) []string {
		return Segments(regexp.MustCompile(`/+`).ReplaceAllString(p, "/"))
	},
	"removes parameters, then decodes (Tomcat)": func(p string) []string {
		return strings.Split(decoded(parameters.ReplaceAllString(p, "")), "/")
	},
	"removes parameters, decodes, then cleans (Jetty)": func(p string) []string {
		return strings.Split(path.Clean(decoded(parameters.ReplaceAllString(p, ""))), "/")
	},
	"decodes, then removes parameters": func(p string) []string {
		return strings.Split(parameters.ReplaceAllString(decoded(p), ""), "/")
	},
	"decodes, then splits off query and fragment": func(p string) []string {
		p = decoded(p)
		if end := strings.IndexAny(p, "?#"); end >= 0 {
			p = p[:end]
		}
		return strings.Split(p, "/")
	},
	"decodes twice": func(p string) []string { return strings.Split(decoded(decoded(p)), "/") },
	"decodes twice, then removes parameters and cleans": func(p string) []string {
		return strings.Split(path.Clean(parameters.ReplaceAllString(decoded(decoded(p)), "")), "/")
	},
	"reads a leading // as a host (Node.js)": func(p string) []string {
		if strings.HasPrefix(p, "//") {
			_, rest, _ := strings.Cut(strings.TrimLeft(p, "/"), "/")
			p = "/" + rest
		}
		return Segments(p)
	},
}

// Segments decodes the segments of a path one by one.
func Segments(p string) (segments []string) {
	for segment := range strings.SplitSeq(p, "/") {
		segments = append(segments, decoded(segment))
	}
	return segments
}

// WithoutRuns drops a last empty segment (a slash at the end), and all but one of several in a row:
// no pattern tells these apart.
func WithoutRuns(segments []string) (out []string) {
	for i, s := range segments {
		if s != "" || i == 0 || segments[i-1] != "" {
			out = append(out, s)
		}
	}
	for len(out) > 1 && out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	return out
}
