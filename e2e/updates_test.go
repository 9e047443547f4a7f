package e2e_test

import (
	"regexp"

	"gatehouse/cmd/testbed/envoy"
)

var startedAs = regexp.MustCompile(`started as the gate; version \S+, configuration hash (\d+)`)

// hashes are the hashes of the gates' configurations so far, each once, in the order of their
// start.
func hashes(p *envoy.Process) (out []string) {
	for _, line := range p.Log.Lines() {
		if m := startedAs.FindStringSubmatch(line); m != nil && (len(out) == 0 || out[len(out)-1] != m[1]) {
			out = append(out, m[1])
		}
	}
	return out
}
