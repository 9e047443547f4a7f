package oci

import (
	"bytes"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// emptyConfig is the configuration of a manifest that needs none (OCI image specification 1.1,
// "Guidance for an Empty Descriptor").
var emptyConfig = static.NewLayer([]byte("{}"), "application/vnd.oci.empty.v1+json")

// blob is a layer of an artefact: any file.
type blob struct {
	media   types.MediaType
	title   string // its file name; "" for none
	content []byte
}

// artifact is an OCI manifest of files that are no file system.
type artifact struct {
	manifest []byte
	layers   map[v1.Hash]v1.Layer
}

// newArtifact makes an image of any files. subject is what it speaks of, or nil.
func newArtifact(kind string, subject *v1.Descriptor, annotations map[string]string, blobs ...blob) (v1.Image, error) {
	config, err := partial.Descriptor(emptyConfig)
	if err != nil {
		return nil, err
	}
	manifest := v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: kind, Config: *config, Subject: subject, Annotations: annotations,
	}
	digest, err := emptyConfig.Digest()
	if err != nil {
		return nil, err
	}
	a := &artifact{layers: map[v1.Hash]v1.Layer{digest: emptyConfig}}
	for _, b := range blobs {
		l := static.NewLayer(b.content, b.media)
		d, err := partial.Descriptor(l)
		if err != nil {
			return nil, err
		}
		if b.title != "" {
			d.Annotations = map[string]string{"org.opencontainers.image.title": b.title}
		}
		manifest.Layers = append(manifest.Layers, *d)
		a.layers[d.Digest] = l
	}
	if a.manifest, err = json.Marshal(manifest); err != nil {
		return nil, err
	}
	return partial.CompressedToImage(a)
}

func (a *artifact) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

func (a *artifact) RawManifest() ([]byte, error) { return bytes.Clone(a.manifest), nil }

func (a *artifact) RawConfigFile() ([]byte, error) { return []byte("{}"), nil }

func (a *artifact) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	if l, ok := a.layers[h]; ok {
		return l, nil
	}
	return nil, fmt.Errorf("no layer %s", h)
}
