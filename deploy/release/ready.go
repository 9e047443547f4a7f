package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"gatehouse/core/version"
	"gatehouse/deploy/release/internal/changelog"
)

// ready says whether a release can be made of the sources as they are.
func ready(ctx context.Context, out io.Writer, args []string) error {
	flags := flag.NewFlagSet("ready", flag.ContinueOnError)
	tag := flags.String("tag", "", "the `tag` that the release has, if it has one")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if want := "v" + version.Version; *tag != "" && *tag != want {
		return fmt.Errorf("the tag is %s, and core/version says %s: want the tag %s", *tag, version.Version, want)
	}
	if _, err := notes(ctx, root); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "releasing %s\n", version.Version)
	return nil
}

// notes are the release notes of a repository, if a release can be made of it: all its files are
// those of a commit, and the changelog has a section of the version.
func notes(ctx context.Context, repository string) (string, error) {
	status := exec.CommandContext(ctx, "git", "status", "--porcelain")
	status.Dir = repository
	changed, err := status.Output()
	if err != nil {
		return "", fmt.Errorf("a release is made from a git checkout: git status: %w", err)
	}
	if len(changed) > 0 {
		return "", fmt.Errorf("the tree is dirty: commit these, or take them away:\n%s", strings.TrimRight(string(changed), "\n"))
	}
	text, err := os.ReadFile(filepath.Join(repository, "CHANGELOG.md"))
	if err != nil {
		return "", err
	}
	return changelog.Notes(string(text), version.Version)
}
