// Package licence reads the licences of modules and holds them against a list of what is allowed.
package licence

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"

	"gatehouse/deploy/release/internal/linked"
)

// Allowed are the licences (SPDX identifiers) that code in a release may have: they ask for their
// text to go with the program, and for no more.
var Allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"}

// covered is the share of a licence file, in percent, that must be known text: the rest is names
// and years.
const covered = 75

// Licence is what a module's files say.
type Licence struct {
	IDs   []string // SPDX identifiers, in order
	Files []File
}

// File is a licence or a notice, whose text goes with the program.
type File struct{ Name, Text string }

var (
	licenceName = regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying)([-._].*)?$`)
	noticeName  = regexp.MustCompile(`(?i)^(notice|patents)([-._].*)?$`)
	codeName    = regexp.MustCompile(`\.(go|s|c|h|js|py|sh)$`)
)

// Of reads a module's licence. It is an error if there is none, if it isn't allowed, or if a text
// isn't a licence that is known.
func Of(m linked.Module) (Licence, error) {
	var l Licence
	files, err := licenceFiles(m)
	if err != nil {
		return l, err
	}
	var problems []error
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return l, err
		}
		name := filepath.Base(path)
		l.Files = append(l.Files, File{name, string(text)})
		if noticeName.MatchString(name) {
			continue
		}
		ids, err := identify(text)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s %s: %s: %w", m.Path, m.Version, name, err))
		}
		l.IDs = append(l.IDs, ids...)
	}
	if len(l.IDs) == 0 && len(problems) == 0 {
		problems = append(problems, fmt.Errorf("%s %s: no licence: want a file named LICENSE or COPYING", m.Path, m.Version))
	}
	slices.Sort(l.IDs)
	l.IDs = slices.Compact(l.IDs)
	return l, errors.Join(problems...)
}

// licenceFiles are the files of a module, where its code is linked, that state terms.
func licenceFiles(m linked.Module) (files []string, err error) {
	if m.Licence != "" {
		return []string{m.Licence}, nil
	}
	for _, folder := range m.Folders {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			name := e.Name()
			if !e.IsDir() && !codeName.MatchString(name) && (licenceName.MatchString(name) || noticeName.MatchString(name)) {
				files = append(files, filepath.Join(folder, name))
			}
		}
	}
	return files, nil
}

// identify names the licences of a text.
func identify(text []byte) (ids []string, err error) {
	scan := licensecheck.Scan(text)
	if len(scan.Match) == 0 || scan.Percent < covered {
		return nil, fmt.Errorf("no licence that is known (%.0f %% of the text is)", scan.Percent)
	}
	for _, m := range scan.Match {
		if !slices.Contains(Allowed, m.ID) {
			return ids, fmt.Errorf("%s: want one of %s", m.ID, strings.Join(Allowed, ", "))
		}
		ids = append(ids, m.ID)
	}
	return ids, nil
}

// rule separates the texts.
var rule = strings.Repeat("=", 80)

// Texts are the licences and notices of modules as one text, to go with a program.
func Texts(modules []linked.Module) (string, error) {
	var b strings.Builder
	b.WriteString("The code that this program links, and the terms of each part.\n")
	for _, m := range modules {
		l, err := Of(m)
		if err != nil {
			return "", err
		}
		for _, f := range l.Files {
			fmt.Fprintf(&b, "\n%s\n%s %s, %s\n%s\n\n%s\n", rule, m.Path, m.Version, f.Name, rule, strings.TrimSpace(f.Text))
		}
	}
	return b.String(), nil
}
