package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// refName is the annotation that names an image within a layout (OCI image layout specification).
const refName = "org.opencontainers.image.ref.name"

// Names of the images within a layout.
const (
	FilterName         = "filter"
	FilterArtifactName = "filter-artifact"
	CLIName            = "cli"
)

// Entry is an image of a layout with the documents about it.
type Entry struct {
	Name      string
	Image     remote.Taggable // a v1.Image or a v1.ImageIndex
	Documents []v1.Image
}

// WriteLayout makes an OCI image layout in a folder, in place of what is there.
func WriteLayout(folder string, entries []Entry) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	path, err := layout.Write(folder, mutate.IndexMediaType(empty.Index, types.OCIImageIndex))
	if err != nil {
		return err
	}
	for _, e := range entries {
		named := layout.WithAnnotations(map[string]string{refName: e.Name})
		switch image := e.Image.(type) {
		case v1.ImageIndex:
			err = path.AppendIndex(image, named)
		case v1.Image:
			err = path.AppendImage(image, named)
		default:
			err = fmt.Errorf("%s: neither an image nor an index", e.Name)
		}
		for _, document := range e.Documents {
			err = errors.Join(err, path.AppendImage(document))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
	}
	return nil
}

// ReadLayout reads what WriteLayout wrote.
func ReadLayout(folder string) ([]Entry, error) {
	path, err := layout.FromPath(folder)
	if err != nil {
		return nil, err
	}
	index, err := path.ImageIndex()
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var entries []Entry
	at := map[v1.Hash]int{}
	for _, d := range manifest.Manifests {
		if d.MediaType.IsIndex() {
			image, err := index.ImageIndex(d.Digest)
			if err != nil {
				return nil, err
			}
			at[d.Digest] = len(entries)
			entries = append(entries, Entry{Name: d.Annotations[refName], Image: image})
			continue
		}
		image, err := index.Image(d.Digest)
		if err != nil {
			return nil, err
		}
		own, err := image.Manifest()
		if err != nil {
			return nil, err
		}
		if own.Subject == nil {
			at[d.Digest] = len(entries)
			entries = append(entries, Entry{Name: d.Annotations[refName], Image: image})
			continue
		}
		subject, ok := at[own.Subject.Digest]
		if !ok {
			return nil, fmt.Errorf("%s speaks of %s, which isn't there", d.Digest, own.Subject.Digest)
		}
		entries[subject].Documents = append(entries[subject].Documents, image)
	}
	return entries, nil
}

// References say where the images go. image is REGISTRY/REPOSITORY, with or without :TAG; the
// default tag is the version.
func References(image, version string) (map[string]name.Tag, error) {
	if strings.Contains(image, "@") || strings.Contains(image, "://") {
		return nil, fmt.Errorf("IMAGE: want REGISTRY/REPOSITORY[:TAG], got %q", image)
	}
	if at := strings.LastIndexByte(image, ':'); at < strings.LastIndexByte(image, '/') || at < 0 {
		image += ":" + strings.ReplaceAll(version, "+", "_") // a tag has no plus
	}
	tag, err := name.NewTag(image, name.StrictValidation)
	if err != nil {
		return nil, fmt.Errorf("IMAGE: want REGISTRY/REPOSITORY[:TAG], got %q: %w", image, err)
	}
	cli, err := name.NewTag(tag.RegistryStr() + "/" + tag.RepositoryStr() + "-cli:" + tag.TagStr())
	if err != nil {
		return nil, err
	}
	return map[string]name.Tag{
		FilterName:         tag,
		FilterArtifactName: tag.Tag(tag.TagStr() + "-artifact"),
		CLIName:            cli,
	}, nil
}

// Push pushes the images of a layout with their documents, reads each back, and prints what is
// where. Credentials are those of Docker's configuration file.
func Push(ctx context.Context, out io.Writer, entries []Entry, references map[string]name.Tag) error {
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	for _, e := range entries {
		tag, ok := references[e.Name]
		if !ok {
			return fmt.Errorf("no reference for the image %q", e.Name)
		}
		if err := pushOne(tag, e.Image, options); err != nil {
			return err
		}
		digest, err := digestOf(e.Image)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(out, "%s@%s\n", tag, digest)
		for _, document := range e.Documents {
			digest, err := document.Digest()
			if err != nil {
				return err
			}
			if err := pushOne(tag.Context().Digest(digest.String()), document, options); err != nil {
				return err
			}
			manifest, err := document.Manifest()
			if err != nil {
				return err
			}
			_, _ = fmt.Fprintf(out, "  %s %s@%s\n", manifest.ArtifactType, tag.Context(), digest)
		}
	}
	return nil
}

// pushOne pushes an image and compares what the registry then has under that reference.
func pushOne(reference name.Reference, image remote.Taggable, options []remote.Option) error {
	if err := remote.Push(reference, image, options...); err != nil {
		return fmt.Errorf("%s: %w", reference, err)
	}
	want, err := digestOf(image)
	if err != nil {
		return err
	}
	got, err := remote.Get(reference, options...)
	if err != nil {
		return fmt.Errorf("%s: reading it back: %w", reference, err)
	}
	if got.Digest != want {
		return fmt.Errorf("%s: the registry has %s, want %s", reference, got.Digest, want)
	}
	return nil
}

func digestOf(image remote.Taggable) (v1.Hash, error) {
	d, err := Describe(image)
	return d.Digest, err
}

// Describe is the descriptor of an image or an index.
func Describe(image remote.Taggable) (v1.Descriptor, error) {
	raw, err := image.RawManifest()
	if err != nil {
		return v1.Descriptor{}, err
	}
	described, ok := image.(interface {
		MediaType() (types.MediaType, error)
	})
	if !ok {
		return v1.Descriptor{}, errors.New("an image without a media type")
	}
	media, err := described.MediaType()
	if err != nil {
		return v1.Descriptor{}, err
	}
	digest, size, err := v1.SHA256(bytes.NewReader(raw))
	return v1.Descriptor{MediaType: media, Size: size, Digest: digest}, err
}
