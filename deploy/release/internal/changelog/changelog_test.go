package changelog_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/deploy/release/internal/changelog"
)

const head = "# Changelog\n\nWords.\n\n"

func TestTheNotesAreTheSectionOfTheVersion(t *testing.T) {
	for name, text := range map[string]string{
		"alone":                 head + "## 1.2.0 - 2026-01-02\n\n### Added\n- a\n",
		"before older ones":     head + "## 1.2.0 - 2026-01-02\n\n### Added\n- a\n\n## 1.1.0 - 2025-01-02\n- b\n",
		"nothing is unreleased": head + "## [Unreleased]\n\n## 1.2.0 - 2026-01-02\n### Added\n- a\n",
	} {
		notes, err := changelog.Notes(text, "1.2.0")
		require.NoError(t, err, name)
		assert.Equal(t, "### Added\n- a\n", notes, name)
	}
}

func TestAVersionWithoutASectionIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		head: "CHANGELOG.md has no section",
		head + "## Unreleased\n- a\n\n## 1.2.0 - 2026-01-02\n- b\n":         "CHANGELOG.md lists changes as unreleased",
		head + "## 1.1.0 - 2026-01-02\n- a\n":                               "want the newest section to be `## 1.2.0 - YYYY-MM-DD`, got `## 1.1.0 - 2026-01-02`",
		head + "## 1.3.0 - 2026-01-02\n- a\n\n## 1.2.0 - 2026-01-01\n- b\n": "got `## 1.3.0 - 2026-01-02`",
		head + "## 1.2.0\n- a\n":                                            "got `## 1.2.0`",
		head + "## 1.2.0 - 2026-01-02\n\n## 1.1.0 - 2025-01-02\n- a\n":      "the section of 1.2.0 is empty",
	} {
		_, err := changelog.Notes(text, "1.2.0")
		require.ErrorContains(t, err, want, text)
	}
}
