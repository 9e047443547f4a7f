package config

import "strings"

// Problem is one error in a configuration.
type Problem struct {
	Path    string // "rate_limits[0].window_seconds"; "line 3, column 7" where the document isn't JSON, or not an object
	Message string // what is allowed and, unless it may be a secret, what was found
}

// Problems are all errors in a configuration, in document order. As an error it has one line for
// each.
type Problems []Problem

// Error returns one line for each problem: "path: message".
func (ps Problems) Error() string {
	var b strings.Builder
	for i, p := range ps {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.Path)
		b.WriteString(": ")
		b.WriteString(p.Message)
	}
	return b.String()
}

// report collects the problems and warnings of a document.
type report struct {
	problems, warnings []finding
}

type finding struct {
	offset int // in the document, for the order
	Problem
}

// problem reports an error at a node and marks the node as bad. Checks that depend on a bad node
// are skipped, so that one mistake is reported once.
func (r *report) problem(n *node, message string) {
	n.bad = true
	r.problems = append(r.problems, finding{n.offset, Problem{n.path(), message}})
}

// missing reports that an object lacks a field.
func (r *report) missing(n *node, field, message string) {
	r.problems = append(r.problems, finding{n.offset, Problem{childPath(n.path(), field), message}})
}

func (r *report) warn(n *node, message string) {
	r.warnings = append(r.warnings, finding{n.offset, Problem{n.path(), message}})
}

// inOrder sorts findings by their place in the document. Findings at the same place keep their
// order.
func inOrder(fs []finding) Problems {
	sortFindings(fs, make([]finding, len(fs)))
	out := make(Problems, len(fs))
	for i, f := range fs {
		out[i] = f.Problem
	}
	return out
}
