// Package changelog reads CHANGELOG.md (keepachangelog.com).
package changelog

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var (
	heading  = regexp.MustCompile(`(?m)^## (.*)$`)
	released = regexp.MustCompile(`^(\S+) - \d{4}-\d{2}-\d{2}$`)
)

// Notes are what a changelog says of a version: its section without the heading. It is an error if
// the newest section is that of another version or has no date, or if changes are listed as
// unreleased.
func Notes(changelog, version string) (string, error) {
	headings := heading.FindAllStringSubmatchIndex(changelog, -1)
	for i, h := range headings {
		title := strings.TrimSpace(changelog[h[2]:h[3]])
		end := len(changelog)
		if i+1 < len(headings) {
			end = headings[i+1][0]
		}
		body := strings.TrimSpace(changelog[h[1]:end])
		if strings.EqualFold(strings.Trim(title, "[]"), "unreleased") {
			if body != "" {
				return "", fmt.Errorf("CHANGELOG.md lists changes as unreleased: give them a version, and core/version the same")
			}
			continue
		}
		parts := released.FindStringSubmatch(title)
		if parts == nil || parts[1] != version {
			return "", fmt.Errorf("CHANGELOG.md: want the newest section to be `## %s - YYYY-MM-DD`, got `## %s`", version, title)
		}
		if body == "" {
			return "", fmt.Errorf("CHANGELOG.md: the section of %s is empty", version)
		}
		return body + "\n", nil
	}
	return "", errors.New("CHANGELOG.md has no section")
}
