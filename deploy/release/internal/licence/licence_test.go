package licence_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/deploy/release/internal/licence"
	"gatehouse/deploy/release/internal/linked"
)

const (
	isc = `Copyright (c) 2020 Somebody

Permission to use, copy, modify, and/or distribute this software for any
purpose with or without fee is hereby granted, provided that the above
copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES
WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF
MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR
ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES
WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN
ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF
OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.
`
	gpl = `This program is free software: you can redistribute it and/or modify
it under the terms of the GNU General Public License as published by
the Free Software Foundation, either version 3 of the License, or
(at your option) any later version.

This program is distributed in the hope that it will be useful,
but WITHOUT ANY WARRANTY; without even the implied warranty of
MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.  See the
GNU General Public License for more details.

You should have received a copy of the GNU General Public License
along with this program.  If not, see <https://www.gnu.org/licenses/>.
`
)

// files is a module on disk, with code in its root and in sub.
func files(t *testing.T, texts map[string]string) linked.Module {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
	for name, text := range texts {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return linked.Module{Path: "example.com/m", Version: "v1.0.0", Folders: []string{dir, filepath.Join(dir, "sub")}}
}

func TestALicenceThatIsAllowed(t *testing.T) {
	got, err := licence.Of(files(t, map[string]string{"LICENSE.txt": isc, "NOTICE": "made by somebody", "license.go": "package m"}))
	require.NoError(t, err)
	assert.Equal(t, licence.Licence{IDs: []string{"ISC"}, Files: []licence.File{{"LICENSE.txt", isc}, {"NOTICE", "made by somebody"}}}, got)
}

func TestWhatIsNotAllowedIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		texts map[string]string
		want  string
	}{
		"no file":            {nil, "example.com/m v1.0.0: no licence: want a file named LICENSE or COPYING"},
		"a notice alone":     {map[string]string{"NOTICE": isc}, "no licence: want a file"},
		"another licence":    {map[string]string{"LICENSE": gpl}, "LICENSE: GPL-3.0"},
		"as well as ours":    {map[string]string{"LICENSE": isc, "COPYING": gpl}, "COPYING: GPL-3.0"},
		"in a part of it":    {map[string]string{"LICENSE": isc, "sub/LICENSE": gpl}, "LICENSE: GPL-3.0"},
		"behind ours":        {map[string]string{"LICENSE": isc + "\n" + gpl}, "LICENSE: GPL-3.0"},
		"unknown text":       {map[string]string{"LICENSE": "Ask me first."}, "no licence that is known (0 % of the text is)"},
		"mostly other words": {map[string]string{"LICENSE": isc + words(200)}, "no licence that is known ("},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := licence.Of(files(t, c.texts))
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestTheTextsGoWithTheProgram(t *testing.T) {
	first, second := files(t, map[string]string{"LICENSE": isc, "NOTICE": "made by somebody"}), files(t, map[string]string{"LICENSE": isc})
	second.Path = "example.com/n"
	got, err := licence.Texts([]linked.Module{first, second})
	require.NoError(t, err)
	rule := strings.Repeat("=", 80)
	head := func(title string) string { return "\n" + rule + "\n" + title + "\n" + rule + "\n\n" }
	assert.Equal(t, "The code that this program links, and the terms of each part.\n"+
		head("example.com/m v1.0.0, LICENSE")+isc+head("example.com/m v1.0.0, NOTICE")+"made by somebody\n"+head("example.com/n v1.0.0, LICENSE")+isc, got)

	_, err = licence.Texts([]linked.Module{files(t, nil)})
	require.ErrorContains(t, err, "no licence")
}

func words(n int) (text string) {
	for range n {
		text += " whatsoever pleases"
	}
	return text
}
