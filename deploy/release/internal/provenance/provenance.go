// Package provenance states how files were made: in-toto statements with SLSA's predicate. They are
// not signed.
package provenance

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"gatehouse/core/version"
)

// MediaType is that of in-toto statements.
const MediaType = "application/vnd.in-toto+json"

// PredicateType is that of SLSA's provenance (slsa.dev/spec/v1.0/provenance).
const PredicateType = "https://slsa.dev/provenance/v1"

// buildType names what the external parameters mean: a target of the Makefile at a version.
const buildType = "urn:gatehouse:make:1"

// Build is how the files were made.
type Build struct {
	Target   string // of make
	Revision string // the commit, in full; anything else if the sources were not those of a commit
	Source   string // where the sources are from, a URI; "" if unknown
	Builder  string // who built, a URI
	Go       string // the toolchain's version, without "go"
}

// Subject is a file or an image.
type Subject struct {
	Name   string `json:"name"`
	Digest digest `json:"digest"`
}

type digest map[string]string

// Of is a subject by its SHA-256, in hexadecimal.
func Of(name, sha256 string) Subject { return Subject{name, digest{"sha256": sha256}} }

type statement struct {
	Type          string    `json:"_type"`
	Subject       []Subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     predicate `json:"predicate"`
}

type predicate struct {
	BuildDefinition buildDefinition `json:"buildDefinition"`
	RunDetails      runDetails      `json:"runDetails"`
}

type buildDefinition struct {
	BuildType            string            `json:"buildType"`
	ExternalParameters   map[string]string `json:"externalParameters"`
	InternalParameters   map[string]string `json:"internalParameters,omitempty"`
	ResolvedDependencies []dependency      `json:"resolvedDependencies"`
}

type dependency struct {
	URI    string `json:"uri"`
	Digest digest `json:"digest,omitempty"`
}

type runDetails struct {
	Builder builder `json:"builder"`
}

type builder struct {
	ID string `json:"id"`
}

var commit = regexp.MustCompile(`^[0-9a-f]{40}$`)

// Write returns the statement as JSON: the same bytes for the same build.
func Write(b Build, subjects ...Subject) ([]byte, error) {
	subjects = slices.SortedFunc(slices.Values(subjects), func(a, b Subject) int { return strings.Compare(a.Name, b.Name) })
	definition := buildDefinition{
		BuildType:            buildType,
		ExternalParameters:   map[string]string{"target": b.Target, "version": version.Version},
		ResolvedDependencies: []dependency{{URI: "pkg:golang/std@" + b.Go}},
	}
	if commit.MatchString(b.Revision) {
		source := "urn:gatehouse:source"
		if b.Source != "" {
			source = "git+" + strings.TrimPrefix(b.Source, "git+")
		}
		definition.ResolvedDependencies = append(definition.ResolvedDependencies, dependency{source, digest{"gitCommit": b.Revision}})
	} else {
		definition.InternalParameters = map[string]string{"revision": b.Revision}
	}
	return json.MarshalIndent(statement{
		Type: "https://in-toto.io/Statement/v1", Subject: subjects, PredicateType: PredicateType,
		Predicate: predicate{definition, runDetails{builder{b.Builder}}},
	}, "", "  ")
}
