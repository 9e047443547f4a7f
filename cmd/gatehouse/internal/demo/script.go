package demo

import (
	"fmt"
	"strings"
	"time"

	"gatehouse/cmd/testbed/toy"
)

const (
	// audience is the one that the configuration in envoy.yaml asks for.
	audience = "orders"
	// lifetime is how long the printed tokens are good for.
	lifetime = time.Hour
)

// script is what the demo prints.
type script struct {
	variables []variable
	steps     []step
	metrics   string
	page      string
}

// variable is a shell variable that the steps use.
type variable struct{ name, value string }

// step is a command line and what it shows.
type step struct {
	shows   string
	status  int
	command string
}

// newScript mints the tokens and writes the steps for a gate at an URL. Each step shows its status
// whenever it is pasted, unless a user pastes more than 100 lines a minute and meets that limit
// first.
func newScript(issuer *toy.Issuer, gate, metrics, page string) (script, error) {
	s := script{metrics: metrics, page: page}
	human := issuer.Human("alice", audience, lifetime)
	ago := func(d time.Duration) int64 { return time.Now().Add(-d).Unix() }
	for _, token := range []struct {
		name   string
		claims toy.Claims
	}{
		{"HUMAN", human},
		{"MACHINE", issuer.Machine("nightly-batch", audience, lifetime, "jobs/read", "jobs/write")},
		{"EXPIRED", human.With("iat", ago(2*lifetime)).With("auth_time", ago(2*lifetime)).With("exp", ago(lifetime))},
	} {
		value, err := issuer.Sign(token.claims, toy.Algorithm("ES256")) // shorter to look at than RS256
		if err != nil {
			return script{}, err
		}
		s.variables = append(s.variables, variable{token.name, value})
	}

	// A variable that was not pasted stops the line with a word of help, instead of showing another
	// refusal.
	curl := func(options, token, path string) string {
		command := "curl -si -w '\\n' "
		if options != "" {
			command += options + " "
		}
		if token != "" {
			command += fmt.Sprintf(`-H "authorization: Bearer ${%s:?paste the tokens first}" `, token)
		}
		return command + gate + path
	}
	four := "for i in 1 2 3 4; do " + curl("", "HUMAN", "/limited/report") + "; done"
	s.steps = []step{
		{"a human reads her account", 200, curl("", "HUMAN", "/account/me")},
		{"a machine starts a job, for which it has the scope", 200, curl("-X POST", "MACHINE", "/batch/run")},
		{"what is public needs no token", 200, curl("", "", "/public/prices")},
		{"no token", 401, curl("", "", "/account/me")},
		{"a token that expired an hour ago; the audit line tells which, the client is told no more", 401, curl("", "EXPIRED", "/account/me")},
		{"a machine where humans are asked for", 403, curl("", "MACHINE", "/account/me")},
		{"a human where machines are asked for", 403, curl("-X POST", "HUMAN", "/batch/run")},
		{"a path that the upstream could read differently", 400, curl("--path-as-is", "HUMAN", "/public/../account/me")},
		{"the fourth request within 10 s; see retry-after", 429, four},
	}
	return s, nil
}

// String returns the text, ready to paste.
func (s script) String() string {
	var b strings.Builder
	b.WriteString("\nThe gate is up. Paste these tokens into another terminal (they are good for an hour):\n\n")
	for _, v := range s.variables {
		fmt.Fprintf(&b, "%s=%s\n", v.name, v.value)
	}
	b.WriteString("\nThen any of these lines:\n")
	for _, step := range s.steps {
		fmt.Fprintf(&b, "\n# %d: %s\n%s\n", step.status, step.shows, step.command)
	}
	fmt.Fprintf(&b, "\nThe metrics, as Prometheus scrapes them, up to a second later:\n\n%s\n", s.metrics)
	fmt.Fprintf(&b, "\nThe page, live, for those who would rather look than read:\n\n%s\n", s.page)
	b.WriteString("\nAudit events follow as they happen. Ctrl-C ends everything.\n")
	return b.String()
}
