package oci_test

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/deploy/release/internal/oci"
)

// serve runs a registry in memory. around may stand before it.
func serve(t *testing.T, around func(http.Handler) http.Handler, options ...registry.Option) (address string) {
	t.Helper()
	handler := registry.New(append(options, registry.Logger(log.New(io.Discard, "", 0)))...)
	if around != nil {
		handler = around(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// pushed writes the images to a layout, and pushes what is read from it.
func pushed(t *testing.T, list []oci.Entry, registry string) (references map[string]name.Tag, printed string, err error) {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, oci.WriteLayout(folder, list))
	read, err := oci.ReadLayout(folder)
	require.NoError(t, err)
	references, err = oci.References(registry+"/team/gatehouse", "1.2.3")
	require.NoError(t, err)
	var out bytes.Buffer
	err = oci.Push(t.Context(), &out, read, references)
	return references, out.String(), err
}

func TestProxiesLoadTheFilterInBothForms(t *testing.T) {
	references, _, err := pushed(t, entries(t), serve(t, nil))
	require.NoError(t, err)
	for _, form := range []string{oci.FilterName, oci.FilterArtifactName} {
		got, err := load(references[form])
		require.NoError(t, err, form)
		assert.True(t, bytes.Equal(module, got), form)
	}
	_, err = load(references[oci.CLIName])
	assert.Error(t, err, "the CLI is no filter")
}

func TestTheRegistryHasWhatWasMade(t *testing.T) {
	for kind, options := range map[string][]registry.Option{
		"a registry that lists referrers": {registry.WithReferrersSupport(true)},
		"one that doesn't":                {registry.WithReferrersSupport(false)},
	} {
		t.Run(kind, func(t *testing.T) {
			list := entries(t)
			references, printed, err := pushed(t, list, serve(t, nil, options...))
			require.NoError(t, err)
			for _, e := range list {
				want, err := e.Image.RawManifest()
				require.NoError(t, err)
				got, err := remote.Get(references[e.Name])
				require.NoError(t, err)
				assert.Equal(t, string(want), string(got.Manifest))
				assert.Contains(t, printed, references[e.Name].String()+"@"+got.Digest.String()+"\n")

				listed, err := remote.Referrers(references[e.Name].Context().Digest(got.Digest.String()))
				require.NoError(t, err)
				manifest, err := listed.IndexManifest()
				require.NoError(t, err)
				require.Len(t, manifest.Manifests, 2)
				for _, d := range manifest.Manifests {
					document, err := remote.Image(references[e.Name].Context().Digest(d.Digest.String()))
					require.NoError(t, err)
					m, err := document.Manifest()
					require.NoError(t, err)
					assert.Equal(t, got.Digest, m.Subject.Digest)
					assert.Equal(t, got.MediaType, m.Subject.MediaType)
					if kind == "one that doesn't" { // the library's own registry lists the type of the configuration instead
						assert.Equal(t, m.ArtifactType, d.ArtifactType)
					}
					assert.EqualValues(t, "application/vnd.oci.empty.v1+json", m.Config.MediaType)
					assert.JSONEq(t, `{"is":"`+m.ArtifactType+`"}`, onlyLayer(t, document))
				}
			}
		})
	}
}

func onlyLayer(t *testing.T, image v1.Image) string {
	t.Helper()
	layers, err := image.Layers()
	require.NoError(t, err)
	require.Len(t, layers, 1)
	content, err := layers[0].Compressed()
	require.NoError(t, err)
	defer func() { _ = content.Close() }()
	text, err := io.ReadAll(content)
	require.NoError(t, err)
	return string(text)
}

func TestARegistryThatKeepsSomethingElseIsAnError(t *testing.T) {
	address := serve(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/manifests/1.2.3") {
				w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
				_, _ = w.Write([]byte(`{"schemaVersion":2}`))
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	_, _, err := pushed(t, entries(t), address)
	require.ErrorContains(t, err, "/team/gatehouse:1.2.3: the registry has sha256:")
}

func TestARegistryThatRefusesIsAnError(t *testing.T) {
	address := serve(t, func(http.Handler) http.Handler { return http.HandlerFunc(http.NotFound) })
	_, _, err := pushed(t, entries(t), address)
	require.ErrorContains(t, err, "/team/gatehouse:1.2.3")
}

func TestWhereImagesGo(t *testing.T) {
	for image, want := range map[string][3]string{
		"registry.example/gatehouse":           {"registry.example/gatehouse:1.0.0", "registry.example/gatehouse:1.0.0-artifact", "registry.example/gatehouse-cli:1.0.0"},
		"registry.example:5000/a/gatehouse":    {"registry.example:5000/a/gatehouse:1.0.0", "registry.example:5000/a/gatehouse:1.0.0-artifact", "registry.example:5000/a/gatehouse-cli:1.0.0"},
		"registry.example:5000/gatehouse:edge": {"registry.example:5000/gatehouse:edge", "registry.example:5000/gatehouse:edge-artifact", "registry.example:5000/gatehouse-cli:edge"},
	} {
		got, err := oci.References(image, "1.0.0")
		require.NoError(t, err)
		assert.Equal(t, want, [3]string{got[oci.FilterName].String(), got[oci.FilterArtifactName].String(), got[oci.CLIName].String()})
	}
	got, err := oci.References("registry.example/gatehouse", "1.0.0+build.1")
	require.NoError(t, err)
	assert.Equal(t, "1.0.0_build.1", got[oci.FilterName].TagStr())

	for _, image := range []string{"", "gatehouse", "oci://registry.example/gatehouse", "registry.example/Gatehouse", "registry.example/gatehouse@sha256:" + strings.Repeat("0", 64), "registry.example/gatehouse:"} {
		_, err := oci.References(image, "1.0.0")
		require.ErrorContains(t, err, "IMAGE: want REGISTRY/REPOSITORY[:TAG], got ", image)
	}
}

func TestADocumentWithoutItsImageIsAnError(t *testing.T) {
	folder := t.TempDir()
	list := entries(t)
	require.NoError(t, oci.WriteLayout(folder, []oci.Entry{{Name: oci.FilterName, Image: list[0].Image, Documents: list[1].Documents}}))
	_, err := oci.ReadLayout(folder)
	require.ErrorContains(t, err, "which isn't there")
	_, err = oci.ReadLayout(t.TempDir())
	require.Error(t, err)
}
