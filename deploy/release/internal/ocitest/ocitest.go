// Package ocitest runs images in tests, without a container engine.
package ocitest

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Unpacked is an image as a runtime has it.
type Unpacked struct {
	Folder string
	Config v1.Config
	Files  []string // but not folders
}

// Unpack writes the file system of an index's image for this machine to a folder. Everything in it
// must belong to root and be dated 1970.
func Unpack(t *testing.T, index v1.ImageIndex) Unpacked {
	t.Helper()
	image := own(t, index)
	file, err := image.ConfigFile()
	require.NoError(t, err)
	u := Unpacked{Folder: t.TempDir(), Config: file.Config}
	require.NoError(t, os.Chmod(u.Folder, 0o755))
	content := mutate.Extract(image)
	defer func() { _ = content.Close() }()
	for archive := tar.NewReader(content); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return u
		}
		require.NoError(t, err)
		assert.Zero(t, header.Uid+header.Gid, "root owns %s", header.Name)
		assert.Zero(t, header.ModTime.Unix(), header.Name)
		require.True(t, filepath.IsLocal(header.Name), header.Name)
		path := filepath.Join(u.Folder, header.Name) //nolint:gosec // the name is a local one
		if header.Typeflag == tar.TypeDir {
			require.NoError(t, os.MkdirAll(path, os.FileMode(header.Mode)))
			continue
		}
		u.Files = append(u.Files, header.Name)
		bytes, err := io.ReadAll(archive)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, bytes, os.FileMode(header.Mode)))
	}
}

// own is an index's image for this machine.
func own(t *testing.T, index v1.ImageIndex) v1.Image {
	t.Helper()
	manifest, err := index.IndexManifest()
	require.NoError(t, err)
	for _, d := range manifest.Manifests {
		if d.Platform.Architecture == runtime.GOARCH {
			image, err := index.Image(d.Digest)
			require.NoError(t, err)
			return image
		}
	}
	t.Fatal("no image for this machine")
	return nil
}

// Run runs an image's entry point in its file system as the user that the image names, 65532, with
// an empty environment, and returns what it printed. It needs root on Linux: elsewhere the test is
// skipped, and fails in CI.
func (u Unpacked) Run(t *testing.T, args ...string) string {
	t.Helper()
	require.Equal(t, "65532:65532", u.Config.User)
	if os.Getuid() != 0 || runtime.GOOS != "linux" {
		if os.Getenv("CI") == "true" {
			t.Fatal("want to be root on Linux, to run the image's file system")
		}
		t.Skip("running the image's file system needs root on Linux")
	}
	run := exec.CommandContext(t.Context(), u.Config.Entrypoint[0], append(u.Config.Entrypoint[1:], args...)...)
	run.Dir, run.Env = u.Config.WorkingDir, []string{}
	run.SysProcAttr = &syscall.SysProcAttr{Chroot: u.Folder, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	out, err := run.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}
