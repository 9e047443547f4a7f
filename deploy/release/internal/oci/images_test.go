package oci_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/deploy/release/internal/oci"
	"gatehouse/deploy/release/internal/ocitest"
)

var (
	module = append([]byte("\x00asm\x01\x00\x00\x00"), bytes.Repeat([]byte("module "), 10_000)...)
	about  = oci.About{Version: "1.2.3", Revision: "abc", Source: "https://git.example/gatehouse", Created: time.Unix(1_800_000_000, 0)}
)

// entries are all images, around a CLI that is any bytes.
func entries(t *testing.T, programs ...oci.Program) []oci.Entry {
	t.Helper()
	if programs == nil {
		programs = []oci.Program{{Arch: "amd64", Binary: []byte("for amd64")}, {Arch: "arm64", Binary: []byte("for arm64")}}
	}
	filter, err := oci.Filter(module, about)
	require.NoError(t, err)
	artifact, err := oci.FilterArtifact(module, about)
	require.NoError(t, err)
	cli, err := oci.CLI(programs, module, "the licences", about)
	require.NoError(t, err)
	list := []oci.Entry{{Name: oci.FilterName, Image: filter}, {Name: oci.FilterArtifactName, Image: artifact}, {Name: oci.CLIName, Image: cli}}
	for i := range list {
		subject, err := oci.Describe(list[i].Image)
		require.NoError(t, err)
		for _, media := range []string{"application/vnd.cyclonedx+json", "application/vnd.in-toto+json"} {
			document, err := oci.Referrer(subject, media, map[string]string{"about": list[i].Name}, []byte(`{"is":"`+media+`"}`))
			require.NoError(t, err)
			list[i].Documents = append(list[i].Documents, document)
		}
	}
	return list
}

func TestTheImagesAreWellFormed(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, oci.WriteLayout(folder, entries(t)))
	list, err := oci.ReadLayout(folder)
	require.NoError(t, err)
	require.Len(t, list, 3)
	for _, e := range list {
		assert.Len(t, e.Documents, 2)
		switch image := e.Image.(type) {
		case v1.ImageIndex:
			assert.NoError(t, validate.Index(image))
		case v1.Image:
			if e.Name == oci.FilterName { // the artefact has no file system to validate
				assert.NoError(t, validate.Image(image))
			}
		}
	}
}

func TestTheSameReleaseGivesTheSameDigests(t *testing.T) {
	first, second := entries(t), entries(t)
	for i := range first {
		a, err := first[i].Image.RawManifest()
		require.NoError(t, err)
		b, err := second[i].Image.RawManifest()
		require.NoError(t, err)
		assert.Equal(t, string(a), string(b))
		for j := range first[i].Documents {
			a, err := first[i].Documents[j].RawManifest()
			require.NoError(t, err)
			b, err := second[i].Documents[j].RawManifest()
			require.NoError(t, err)
			assert.Equal(t, string(a), string(b))
		}
	}
}

func TestTheImagesSayWhatTheyAre(t *testing.T) {
	list := entries(t)
	config, err := list[0].Image.(v1.Image).ConfigFile()
	require.NoError(t, err)
	artifact, err := list[1].Image.(v1.Image).Manifest()
	require.NoError(t, err)
	index, err := list[2].Image.(v1.ImageIndex).IndexManifest()
	require.NoError(t, err)
	want := map[string]string{
		"org.opencontainers.image.title": "gatehouse", "org.opencontainers.image.version": "1.2.3", "org.opencontainers.image.revision": "abc",
		"org.opencontainers.image.source": "https://git.example/gatehouse", "org.opencontainers.image.created": "2027-01-15T08:00:00Z",
		"org.opencontainers.image.licenses": "Apache-2.0",
	}
	assert.Equal(t, want, config.Config.Labels)
	assert.Equal(t, want, artifact.Annotations)
	want["org.opencontainers.image.title"] = "gatehouse-cli"
	assert.Equal(t, want, index.Annotations)
	assert.Equal(t, about.Created.UTC(), config.Created.UTC())
	var platforms []string
	for _, d := range index.Manifests {
		platforms = append(platforms, d.Platform.String())
	}
	assert.Equal(t, []string{"linux/amd64", "linux/arm64"}, platforms)
}

// probe is a program that says who runs it and how many root certificates it finds.
const probe = `package main

import (
	"crypto/x509"
	"fmt"
	"os"
)

func main() {
	roots, err := x509.SystemCertPool()
	fmt.Println(os.Getuid(), os.Getgid(), err, len(roots.Subjects()) > 50)
}
`

func TestTheCLIRunsFromScratchAsNobody(t *testing.T) {
	source := filepath.Join(t.TempDir(), "main.go")
	require.NoError(t, os.WriteFile(source, []byte(probe), 0o600))
	program := filepath.Join(t.TempDir(), "probe")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", program, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	binary, err := os.ReadFile(program)
	require.NoError(t, err)

	list := entries(t, oci.Program{Arch: runtime.GOARCH, Binary: binary})
	image := ocitest.Unpack(t, list[2].Image.(v1.ImageIndex))
	assert.ElementsMatch(t, []string{"gatehouse", "gatehouse.wasm", "licenses.txt", "etc/ssl/certs/ca-certificates.crt"}, image.Files)
	assert.Equal(t, []string{"/gatehouse"}, image.Config.Entrypoint)
	assert.Equal(t, "65532 65532 <nil> true\n", image.Run(t))
}
