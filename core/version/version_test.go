package version_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/version"
)

// semantic is the regular expression that semver.org recommends.
var semantic = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)` +
	`(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?` +
	`(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$`)

func TestTheVersionIsSemanticAndTheNewestOfTheChangelog(t *testing.T) {
	assert.Regexp(t, semantic, version.Version)
	changelog, err := os.ReadFile("../../CHANGELOG.md")
	require.NoError(t, err)
	newest := regexp.MustCompile(`(?m)^## (\S+) - \d{4}-\d{2}-\d{2}$`).FindSubmatch(changelog)
	require.NotNil(t, newest, "want a section `## VERSION - YYYY-MM-DD`")
	assert.Equal(t, string(newest[1]), version.Version)
}
