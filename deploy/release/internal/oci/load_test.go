package oci_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// load gets a filter out of a registry as Istio and Envoy Gateway do, which share the rules: a
// manifest of Docker's type must end in a layer of Docker's type, one of another type in an OCI
// layer, and either layer is a compressed archive with a file plugin.wasm. Else there must be two
// layers, of which one is the module.
func load(reference name.Reference) ([]byte, error) {
	described, err := remote.Get(reference)
	if err != nil {
		return nil, err
	}
	image, err := described.Image()
	if err != nil {
		return nil, err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return nil, err
	}
	layers, err := image.Layers()
	if err != nil {
		return nil, err
	}
	if manifest.MediaType == "application/vnd.docker.distribution.manifest.v2+json" {
		return fromArchive(layers, "application/vnd.docker.image.rootfs.diff.tar.gzip")
	}
	module, standardErr := fromArchive(layers, "application/vnd.oci.image.layer.v1.tar+gzip")
	if standardErr == nil {
		return module, nil
	}
	module, err = fromArtifact(layers)
	if err != nil {
		return nil, errors.Join(standardErr, err)
	}
	return module, nil
}

func fromArchive(layers []v1.Layer, want string) ([]byte, error) {
	if len(layers) == 0 {
		return nil, errors.New("no layers")
	}
	last := layers[len(layers)-1]
	if media, err := last.MediaType(); err != nil || string(media) != want {
		return nil, fmt.Errorf("the last layer is %s, want %s: %w", media, want, err)
	}
	compressed, err := last.Compressed()
	if err != nil {
		return nil, err
	}
	defer func() { _ = compressed.Close() }()
	plain, err := gzip.NewReader(compressed)
	if err != nil {
		return nil, err
	}
	for archive := tar.NewReader(plain); ; {
		header, err := archive.Next()
		if err != nil {
			return nil, err
		}
		if path.Base(header.Name) == "plugin.wasm" {
			return io.ReadAll(archive)
		}
	}
}

func fromArtifact(layers []v1.Layer) ([]byte, error) {
	if len(layers) != 2 {
		return nil, fmt.Errorf("%d layers, want 2", len(layers))
	}
	for _, l := range layers {
		media, err := l.MediaType()
		if err != nil {
			return nil, err
		}
		if media != "application/vnd.module.wasm.content.layer.v1+wasm" {
			continue
		}
		content, err := l.Compressed() // as it is: it isn't compressed
		if err != nil {
			return nil, err
		}
		defer func() { _ = content.Close() }()
		return io.ReadAll(content)
	}
	return nil, errors.New("no layer is a module")
}
