package provenance_test

import (
	"strings"
	"testing"

	slsa "github.com/in-toto/attestation/go/predicates/provenance/v1"
	statement "github.com/in-toto/attestation/go/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"

	"gatehouse/core/version"
	"gatehouse/deploy/release/internal/provenance"
)

var build = provenance.Build{
	Target: "image", Revision: strings.Repeat("0a", 20), Source: "https://git.example/gatehouse", Builder: "https://ci.example/1", Go: "1.26.8",
}

// read has in-toto's own library read a statement.
func read(t *testing.T, text []byte) (*statement.Statement, *slsa.Provenance) {
	t.Helper()
	var s statement.Statement
	require.NoError(t, protojson.Unmarshal(text, &s), "an unknown field is an error")
	require.NoError(t, s.Validate())
	inner, err := protojson.Marshal(s.GetPredicate())
	require.NoError(t, err)
	var p slsa.Provenance
	require.NoError(t, protojson.Unmarshal(inner, &p))
	require.NoError(t, p.Validate())
	return &s, &p
}

func TestTheStatementIsOneOfInTotoAndSLSA(t *testing.T) {
	subjects := []provenance.Subject{provenance.Of("b", strings.Repeat("bb", 32)), provenance.Of("a", strings.Repeat("aa", 32))}
	text, err := provenance.Write(build, subjects...)
	require.NoError(t, err)
	s, p := read(t, text)
	assert.Equal(t, "https://slsa.dev/provenance/v1", s.GetPredicateType())
	require.Len(t, s.GetSubject(), 2)
	assert.Equal(t, "a", s.GetSubject()[0].GetName())
	assert.Equal(t, strings.Repeat("aa", 32), s.GetSubject()[0].GetDigest()["sha256"])
	assert.Equal(t, "https://ci.example/1", p.GetRunDetails().GetBuilder().GetId())
	definition := p.GetBuildDefinition()
	assert.Equal(t, map[string]any{"target": "image", "version": version.Version}, definition.GetExternalParameters().AsMap())
	require.Len(t, definition.GetResolvedDependencies(), 2)
	assert.Equal(t, "pkg:golang/std@1.26.8", definition.GetResolvedDependencies()[0].GetUri())
	assert.Equal(t, "git+https://git.example/gatehouse", definition.GetResolvedDependencies()[1].GetUri())
	assert.Equal(t, build.Revision, definition.GetResolvedDependencies()[1].GetDigest()["gitCommit"])

	again, err := provenance.Write(build, subjects[1], subjects[0])
	require.NoError(t, err)
	assert.Equal(t, string(text), string(again))
}

func TestSourcesThatAreNoCommitAreNotCalledOne(t *testing.T) {
	for _, revision := range []string{"", build.Revision + "-modified", "main"} {
		other := build
		other.Revision = revision
		text, err := provenance.Write(other, provenance.Of("a", strings.Repeat("aa", 32)))
		require.NoError(t, err)
		_, p := read(t, text)
		assert.Len(t, p.GetBuildDefinition().GetResolvedDependencies(), 1, revision)
		assert.Equal(t, revision, p.GetBuildDefinition().GetInternalParameters().AsMap()["revision"])
	}
}
