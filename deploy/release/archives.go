package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"gatehouse/core/version"
	"gatehouse/deploy/release/internal/archive"
	"gatehouse/deploy/release/internal/oci"
	"gatehouse/deploy/release/internal/provenance"
)

// placeholder stands for the filter's image in all that the repository says.
const placeholder = "registry.example/gatehouse"

// archives makes the files of a release.
func archives(ctx context.Context, out io.Writer, args []string) error {
	var a about
	flags := a.flags("archives")
	image := flags.String("image", "", "what the manifests name as the filter's image, `REGISTRY/REPOSITORY[:TAG]`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	notes, err := notes(ctx, root)
	if err != nil {
		return err
	}
	filter, cli, err := a.programs(ctx, "")
	if err != nil {
		return err
	}
	files, err := a.files(ctx, filter, cli, *image)
	if err != nil {
		return err
	}
	files = append(files, archive.File{Name: "RELEASE_NOTES.md", Content: []byte(notes)})
	statement, err := a.statement(files, filter.toolchain())
	if err != nil {
		return err
	}
	files = append(files, archive.File{Name: name(".intoto.json"), Content: statement})
	files = append(files, archive.File{Name: "SHA256SUMS", Content: archive.Sums(files)})
	return write(out, filepath.Join(a.dist, "release"), files)
}

// name is the name of a release's file.
func name(rest string) string { return "gatehouse-" + version.Version + rest }

// files are the programs, the manifests and the bills of materials.
func (a *about) files(ctx context.Context, filter, cli program, image string) (files []archive.File, err error) {
	module := filter.files[filter.Platforms[0]]
	own, err := os.ReadFile(filepath.Join(root, "LICENSE"))
	if err != nil {
		return nil, err
	}
	licences, err := cli.licences()
	if err != nil {
		return nil, err
	}
	for _, platform := range cli.Platforms {
		folder := name("-" + platform.String())
		packed, err := archive.TarGz(folder, a.time(), []archive.File{
			{Name: "gatehouse", Program: true, Content: cli.files[platform]},
			{Name: "gatehouse.wasm", Content: module},
			{Name: "LICENSE", Content: own},
			{Name: "licenses.txt", Content: []byte(licences)},
		})
		if err != nil {
			return nil, err
		}
		files = append(files, archive.File{Name: folder + ".tar.gz", Content: packed})
	}
	manifests, err := manifests(ctx, image)
	if err != nil {
		return nil, err
	}
	packed, err := archive.TarGz(name("-deploy"), a.time(), manifests)
	if err != nil {
		return nil, err
	}
	return append(files,
		archive.File{Name: name("-deploy.tar.gz"), Content: packed},
		archive.File{Name: name(".wasm"), Content: module},
		archive.File{Name: name("-filter.cdx.json"), Content: filter.bill},
		archive.File{Name: name("-cli.cdx.json"), Content: cli.bill}), nil
}

// tools are folders of deploy that are the repository's own.
var tools = regexp.MustCompile(`^(check|release)/`)

// manifests are the files of deploy, with the version and the image in place of their placeholders.
func manifests(ctx context.Context, image string) (files []archive.File, err error) {
	repository, tag := placeholder, version.Version
	if image != "" {
		references, err := oci.References(image, version.Version)
		if err != nil {
			return nil, err
		}
		reference := references[oci.FilterName]
		repository, tag = reference.Context().Name(), reference.TagStr()
	}
	list := exec.CommandContext(ctx, "git", "ls-files", "-z")
	list.Dir = filepath.Join(root, "deploy")
	names, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	for name := range strings.SplitSeq(strings.Trim(string(names), "\x00"), "\x00") {
		if tools.MatchString(name) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(list.Dir, name))
		if err != nil {
			return nil, err
		}
		files = append(files, archive.File{Name: name, Content: fillIn(text, repository, tag)})
	}
	return files, nil
}

var versionWord = regexp.MustCompile(`\bVERSION\b`)

// fillIn puts an image's repository and tag in place of what stands for them.
func fillIn(text []byte, repository, tag string) []byte {
	text = versionWord.ReplaceAllLiteral(text, []byte(tag))
	return bytes.ReplaceAll(text, []byte(placeholder), []byte(repository))
}

// statement is the provenance of files.
func (a *about) statement(files []archive.File, toolchain string) ([]byte, error) {
	var subjects []provenance.Subject
	for _, f := range files {
		subjects = append(subjects, provenance.Of(f.Name, hash(f.Content)))
	}
	return provenance.Write(a.build("release", toolchain), subjects...)
}

// write writes the files to a folder, in place of what is there.
func write(out io.Writer, folder string, files []archive.File) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(folder, f.Name), f.Content, 0o644); err != nil {
			return err
		}
		_, _ = fmt.Fprintln(out, filepath.Join(folder, f.Name))
	}
	return nil
}
