package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/version"
	"gatehouse/deploy/release/internal/linked"
	"gatehouse/deploy/release/internal/oci"
	"gatehouse/deploy/release/internal/ocitest"
)

// command runs a program in a folder and returns what it printed.
func command(t *testing.T, folder string, env []string, words ...string) (out string, err error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), words[0], words[1:]...)
	c.Dir, c.Env = folder, append(os.Environ(), env...)
	text, err := c.CombinedOutput()
	return string(text), err
}

func must(t *testing.T, folder string, env []string, words ...string) string {
	t.Helper()
	out, err := command(t, folder, env, words...)
	require.NoError(t, err, "%s: %s", strings.Join(words, " "), out)
	return out
}

// needs skips where a program is missing, and fails in CI.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatal(p + " is missing")
		}
		t.Skip(p + " is missing")
	}
}

// checkout copies the repository, as it stands, to a folder and commits it.
func checkout(t *testing.T, folder string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(root, ".git")); err != nil {
		t.Skip("a release is made from a git checkout, which this is not")
	}
	list := must(t, root, nil, "git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	for name := range strings.SplitSeq(strings.Trim(list, "\x00"), "\x00") {
		info, err := os.Lstat(filepath.Join(root, name))
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			continue
		}
		require.NoError(t, err)
		content, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		if name == "CHANGELOG.md" { // between releases it lists changes as unreleased
			content = []byte("# Changelog\n\n## " + version.Version + " - 2026-01-02\n\n### Added\n- Everything.\n")
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), content, info.Mode().Perm()))
	}
	env := []string{
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_AUTHOR_DATE=1800000000 +0000", "GIT_COMMITTER_NAME=a",
		"GIT_COMMITTER_EMAIL=a@example.com", "GIT_COMMITTER_DATE=1800000000 +0000", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
	}
	for _, words := range []string{"init -q", "add -A", "commit -q -m release"} {
		must(t, folder, env, append([]string{"git"}, strings.Fields(words)...)...)
	}
}

// tree reads all files below a folder.
func tree(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(folder, path)
		files[name] = string(content)
		return err
	}))
	return files
}

// same compares without printing megabytes.
func same(t *testing.T, want, got map[string]string) {
	t.Helper()
	for name := range want {
		if _, ok := got[name]; !ok {
			t.Errorf("%s is missing", name)
		} else if got[name] != want[name] {
			t.Errorf("%s differs: %s and %s", name, hash([]byte(want[name])), hash([]byte(got[name])))
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is new", name)
		}
	}
}

// unpack reads a .tar.gz.
func unpack(t *testing.T, packed string) (files map[string]string, modes map[string]int64) {
	t.Helper()
	plain, err := gzip.NewReader(strings.NewReader(packed))
	require.NoError(t, err)
	files, modes = map[string]string{}, map[string]int64{}
	for archive := tar.NewReader(plain); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, modes
		}
		require.NoError(t, err)
		content, err := io.ReadAll(archive)
		require.NoError(t, err)
		files[header.Name], modes[header.Name] = string(content), header.Mode
		assert.EqualValues(t, 1_800_000_000, header.ModTime.Unix(), "the date of the commit")
	}
}

// linkerNote is a module in the build information that the linker puts into a program.
var linkerNote = regexp.MustCompile(`\ndep\t(\S+)\t(\S+)\th1:`)

// Three releases are made in three folders, and compared. The first two share Go's cache; the third
// has an empty one, no git, and another environment, and makes no more than `make build` does.
func TestARelease(t *testing.T) {
	needs(t, "make", "git", "tar", "sha256sum")
	if runtime.GOOS != "linux" {
		t.Skip("the test runs the release's CLI for Linux")
	}
	first := filepath.Join(t.TempDir(), "a")
	checkout(t, first)
	platforms := []string{"linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64"}
	if os.Getenv("CI") != "true" { // each other platform compiles the standard library
		platforms = []string{"linux-" + runtime.GOARCH}
	}
	words := []string{"make", "release", "IMAGE=registry.test/team/gatehouse", "PLATFORMS=" + strings.Join(platforms, " ")}
	must(t, first, []string{"GOFLAGS=-trimpath"}, words...)
	release := tree(t, filepath.Join(first, "dist", "release"))
	prefix := "gatehouse-" + version.Version

	t.Run("has all its files", func(t *testing.T) {
		var names []string
		for name := range release {
			names = append(names, strings.TrimPrefix(name, prefix))
		}
		want := []string{"-deploy.tar.gz", ".wasm", "-filter.cdx.json", "-cli.cdx.json", ".intoto.json", "RELEASE_NOTES.md", "SHA256SUMS"}
		for _, platform := range platforms {
			want = append(want, "-"+platform+".tar.gz")
		}
		assert.ElementsMatch(t, want, names)
		assert.Equal(t, "### Added\n- Everything.\n", release["RELEASE_NOTES.md"])
	})

	t.Run("has checksums and provenance of each", func(t *testing.T) {
		out := must(t, filepath.Join(first, "dist", "release"), nil, "sha256sum", "-c", "SHA256SUMS")
		assert.Equal(t, len(release)-1, strings.Count(out, ": OK\n"))
		var statement struct {
			Subject []struct {
				Name   string
				Digest map[string]string
			}
		}
		require.NoError(t, json.Unmarshal([]byte(release[prefix+".intoto.json"]), &statement))
		assert.Len(t, statement.Subject, len(release)-2)
		for _, s := range statement.Subject {
			assert.Equal(t, hash([]byte(release[s.Name])), s.Digest["sha256"], s.Name)
		}
	})

	t.Run("has bills of materials that name what the linker linked", func(t *testing.T) {
		files, _ := unpack(t, release[prefix+"-linux-"+runtime.GOARCH+".tar.gz"])
		for file, program := range map[string]string{
			"-filter.cdx.json": release[prefix+".wasm"], "-cli.cdx.json": files[prefix+"-linux-"+runtime.GOARCH+"/gatehouse"],
		} {
			var bill cyclonedx.BOM
			require.NoError(t, cyclonedx.NewBOMDecoder(strings.NewReader(release[prefix+file]), cyclonedx.BOMFileFormatJSON).Decode(&bill))
			if hashes := bill.Metadata.Component.Hashes; hashes != nil { // a bill for several programs has none
				assert.Equal(t, hash([]byte(program)), (*hashes)[0].Value)
			}
			var named, noted []string
			for _, c := range *bill.Components {
				if strings.HasPrefix(c.PackageURL, "pkg:golang/") && c.Name != linked.Standard {
					named = append(named, c.Name+" "+c.Version)
				}
			}
			for _, m := range linkerNote.FindAllStringSubmatch(program, -1) {
				noted = append(noted, m[1]+" "+m[2])
			}
			slices.Sort(noted) // an executable for Linux has them twice
			noted = slices.Compact(noted)
			assert.NotEmpty(t, noted)
			assert.Subset(t, named, noted)
			if file == "-filter.cdx.json" || len(platforms) == 1 {
				assert.ElementsMatch(t, named, noted)
			}
		}
	})

	t.Run("names its version in each program", func(t *testing.T) {
		native := prefix + "-linux-" + runtime.GOARCH
		files, modes := unpack(t, release[native+".tar.gz"])
		assert.Len(t, files, 4)
		assert.EqualValues(t, 0o755, modes[native+"/gatehouse"])
		assert.Contains(t, files[native+"/licenses.txt"], "\nnpm/uplot 1.")
		assert.Contains(t, files[native+"/licenses.txt"], "Copyright (c) 2022 Leon Sorokin", "the text, not only the name")
		folder := t.TempDir()
		for name, content := range files {
			require.NoError(t, os.WriteFile(filepath.Join(folder, filepath.Base(name)), []byte(content), os.FileMode(modes[name])))
		}
		commit := strings.TrimSpace(must(t, first, nil, "git", "rev-parse", "HEAD"))
		assert.Equal(t, "gatehouse "+version.Version+" ("+commit+", "+runtime.Version()+", linux/"+runtime.GOARCH+")\n"+
			"filter    "+version.Version+" (sha256 "+hash([]byte(release[prefix+".wasm"]))+")\n", must(t, folder, nil, "./gatehouse", "version"))
	})

	t.Run("has an image in which the CLI runs", func(t *testing.T) {
		list, err := oci.ReadLayout(filepath.Join(first, "dist", "image"))
		require.NoError(t, err)
		require.Equal(t, oci.CLIName, list[2].Name)
		image := ocitest.Unpack(t, list[2].Image.(v1.ImageIndex))
		assert.Contains(t, image.Run(t, "version"), "filter    "+version.Version+" (sha256 "+hash([]byte(release[prefix+".wasm"]))+")\n")
		require.NoError(t, os.WriteFile(filepath.Join(image.Folder, "gate.json"), []byte(`{"routes":[{"path":"/**","auth":"none"}]}`), 0o644))
		assert.Equal(t, "/gate.json: ok\n", image.Run(t, "check", "/gate.json"))
	})

	t.Run("has manifests with the version and the image", func(t *testing.T) {
		files, _ := unpack(t, release[prefix+"-deploy.tar.gz"])
		var named int
		for name, text := range files {
			assert.NotContains(t, text, placeholder, name)
			assert.NotRegexp(t, `\bVERSION\b`, text, name)
			named += strings.Count(text, "registry.test/team/gatehouse:"+version.Version)
		}
		assert.Positive(t, named)
		assert.Contains(t, files[prefix+"-deploy/helm/gatehouse/Chart.yaml"], "\nappVersion: "+version.Version+" ")
		assert.NotContains(t, files, prefix+"-deploy/release/main.go")
	})

	t.Run("is the same when it is made again, elsewhere", func(t *testing.T) {
		second := filepath.Join(t.TempDir(), "a much longer path", "b")
		must(t, first, nil, "git", "clone", "-q", ".", second)
		must(t, second, []string{"GOFLAGS=-trimpath", "TZ=Asia/Tokyo"}, words...)
		same(t, release, tree(t, filepath.Join(second, "dist", "release")))
		same(t, tree(t, filepath.Join(first, "dist", "image")), tree(t, filepath.Join(second, "dist", "image")))
	})

	t.Run("has the bytes that anybody gets who builds", func(t *testing.T) {
		third := t.TempDir()
		must(t, first, nil, "git", "archive", "--output", filepath.Join(third, "sources.tar"), "HEAD")
		must(t, third, nil, "tar", "-xf", "sources.tar")
		commit := strings.TrimSpace(must(t, first, nil, "git", "rev-parse", "HEAD"))
		env := []string{"GOCACHE=" + t.TempDir(), "GOFLAGS=-tags=other", "GOAMD64=v2", "GIT_DIR=/nowhere"}
		must(t, third, env, "make", "build", "REVISION="+commit)
		built := tree(t, filepath.Join(third, "dist"))
		same(t, map[string]string{"gatehouse.wasm": release[prefix+".wasm"]}, map[string]string{"gatehouse.wasm": built["gatehouse.wasm"]})
		same(t, tree(t, filepath.Join(first, "dist", "linux-"+runtime.GOARCH)), map[string]string{"gatehouse": built["gatehouse"]})
	})
}

func TestADirtyTreeOrAVersionWithoutNotesIsNotReleased(t *testing.T) {
	needs(t, "git")
	folder := t.TempDir()
	env := []string{"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com"}
	commit := func(changelog string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, "CHANGELOG.md"), []byte(changelog), 0o600))
		must(t, folder, env, "git", "add", "-A")
		must(t, folder, env, "git", "commit", "-q", "-m", "a", "--allow-empty")
	}
	refused := func(want string) {
		t.Helper()
		_, err := notes(t.Context(), folder)
		require.ErrorContains(t, err, want)
	}

	refused("a release is made from a git checkout")
	must(t, folder, env, "git", "init", "-q")
	section := "## " + version.Version + " - 2026-01-02\n- a\n"
	commit("# Changelog\n\n" + section)
	got, err := notes(t.Context(), folder)
	require.NoError(t, err)
	assert.Equal(t, "- a\n", got)

	require.NoError(t, os.WriteFile(filepath.Join(folder, "new.go"), nil, 0o600))
	refused("the tree is dirty: commit these, or take them away:\n?? new.go")
	require.NoError(t, os.Remove(filepath.Join(folder, "new.go")))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "CHANGELOG.md"), []byte(section), 0o600))
	refused("the tree is dirty: commit these, or take them away:\n M CHANGELOG.md")

	commit("# Changelog\n\n## 0.0.1 - 2026-01-02\n- a\n")
	refused("want the newest section to be `## " + version.Version + " - YYYY-MM-DD`, got `## 0.0.1 - 2026-01-02`")
	commit("# Changelog\n\n## Unreleased\n- b\n\n" + section)
	refused("CHANGELOG.md lists changes as unreleased")
}

func TestATagOfAnotherVersionIsNotReleased(t *testing.T) {
	var out bytes.Buffer
	require.EqualError(t, ready(t.Context(), &out, []string{"-tag", "v0.0.1"}),
		"the tag is v0.0.1, and core/version says "+version.Version+": want the tag v"+version.Version)
}

func TestTheCLIMayBeForSomePlatforms(t *testing.T) {
	a := about{cliFor: "darwin-arm64 linux-amd64"}
	got, err := a.platforms(linked.Programs[1])
	require.NoError(t, err)
	assert.Equal(t, []linked.Platform{{OS: "linux", Arch: "amd64"}, {OS: "darwin", Arch: "arm64"}}, got)
	a.cliFor = "linux-amd64 plan9-mips"
	_, err = a.platforms(linked.Programs[1])
	require.EqualError(t, err, "platforms: want some of [linux-amd64 linux-arm64 darwin-amd64 darwin-arm64], got plan9-mips")
}

func TestPushSaysWhereTo(t *testing.T) {
	var out bytes.Buffer
	require.EqualError(t, push(t.Context(), &out, nil), "say where to: make push IMAGE=registry.example/gatehouse")
	require.ErrorContains(t, push(t.Context(), &out, []string{"-image", "gatehouse", "-dist", t.TempDir()}), "IMAGE: want REGISTRY/REPOSITORY[:TAG]")
	require.ErrorContains(t, push(t.Context(), &out, []string{"-image", "registry.example/gatehouse", "-dist", t.TempDir()}), "`make image` makes it")
}
