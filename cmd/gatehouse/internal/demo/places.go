package demo

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"gatehouse/cmd/testbed/envoy"
)

// place is something that listens: a listener of Envoy's, or a toy.
type place struct{ name, what, address string }

// places are the places of a running configuration.
type places []place

func newPlaces(b envoy.Bootstrap, process *envoy.Process, t *toys) (places, error) {
	listeners, err := b.Addresses()
	if err != nil {
		return nil, err
	}
	var all places
	for _, name := range slices.Sorted(maps.Keys(listeners)) {
		if name == "" {
			all = append(all, place{"envoy_admin", "Envoy's admin interface", process.AdminAddress()})
		} else {
			all = append(all, place{name, "listener", process.Address(name)})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.at)) {
		all = append(all, place{name, t.what(name), t.at[name]})
	}
	return all, nil
}

// environment returns what the command finds in its environment.
func (p places) environment(auditLog string) []string {
	program, _ := os.Executable() // without it a script says what it lacks
	variables := []string{"AUDIT_LOG=" + auditLog, "GATEHOUSE=" + program}
	for _, place := range p {
		variables = append(variables, variableFor(place.name)+"=http://"+place.address)
	}
	return variables
}

// variableFor is the name of the environment variable with a place's URL.
func variableFor(place string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, place)
}

// text is what a user reads who runs no command.
func (p places) text(file string, variables []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nEnvoy runs %s:\n\n", file)
	for _, place := range p {
		fmt.Fprintf(&b, "  http://%-21s  %s (%s)\n", place.address, place.name, place.what)
	}
	for _, place := range p {
		if place.what == whatIssuer {
			fmt.Fprintf(&b, "\nA token with the claims that you want, beside iss, aud, iat and exp:\n\n"+
				"TOKEN=$(curl -s http://%s/sign -d '{\"sub\": \"alice\", \"email\": \"alice@example.com\"}')\n", place.address)
			break
		}
	}
	if len(variables) > 0 {
		fmt.Fprintf(&b, "\nWhat the filter takes from the environment:\n\n%s\n", strings.Join(variables, "\n"))
	}
	b.WriteString("\nAudit events follow as they happen. Ctrl-C ends everything.\n")
	return b.String()
}
