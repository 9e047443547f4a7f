// Package oci makes Gatehouse's images and pushes them.
package oci

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// About is what the images say of themselves.
type About struct {
	Version  string
	Revision string    // the commit; "" if unknown
	Source   string    // where the sources are from, a URI; "" if unknown
	Created  time.Time // of the release, not of the build: the images have the same digests each time
}

func (a About) annotations(title string) map[string]string {
	all := map[string]string{
		"org.opencontainers.image.title":    title,
		"org.opencontainers.image.version":  a.Version,
		"org.opencontainers.image.created":  a.Created.UTC().Format(time.RFC3339),
		"org.opencontainers.image.licenses": "Apache-2.0",
	}
	if a.Revision != "" {
		all["org.opencontainers.image.revision"] = a.Revision
	}
	if a.Source != "" {
		all["org.opencontainers.image.source"] = a.Source
	}
	return all
}

// Filter is the image of the filter that proxies load: the compat variant of the Wasm image
// specification (github.com/solo-io/wasm, spec/spec-compat.md) with Docker's media types, which
// every registry takes. It is plugin.wasm in the root of one layer, so that Kubernetes can mount it
// as a volume too.
func Filter(module []byte, about About) (v1.Image, error) {
	files, err := layer(types.DockerLayer, file{"plugin.wasm", 0o644, module})
	if err != nil {
		return nil, err
	}
	// Runtimes that mount images compare the operating system with their own.
	return image(empty.Image, &v1.ConfigFile{
		OS: "linux", Architecture: "wasm", Created: v1.Time{Time: about.Created.UTC()},
		Config: v1.Config{Labels: about.annotations("gatehouse")},
	}, files)
}

// Media types of the artefact variant (spec/spec.md).
const (
	wasmConfig  = "application/vnd.module.wasm.config.v1+json"
	wasmContent = "application/vnd.module.wasm.content.layer.v1+wasm"
)

// abi is the version of the proxy-wasm ABI that the filter speaks.
const abi = "proxy_abi_version_0_2_0"

// FilterArtifact is the filter in the artefact variant of the Wasm image specification: the module
// as it is, and what runtime it is for.
func FilterArtifact(module []byte, about About) (v1.Image, error) {
	type config struct {
		RootIDs []string `json:"root_ids"`
	}
	runtime, err := json.Marshal(struct {
		Type        string   `json:"type"`
		ABIVersions []string `json:"abiVersions"`
		Config      config   `json:"config"`
	}{"envoy_proxy", []string{abi}, config{[]string{""}}})
	if err != nil {
		return nil, err
	}
	return newArtifact(wasmConfig, nil, about.annotations("gatehouse"),
		blob{wasmConfig, "runtime-config.json", runtime}, blob{wasmContent, "gatehouse.wasm", module})
}

// Program is the CLI for one platform.
type Program struct {
	Arch   string // of Linux
	Binary []byte
}

// nobody is the user of the CLI's image: it has no name and owns nothing.
const nobody = "65532:65532"

// CLI is an index of the CLI's images, one for each architecture: from scratch, with nothing but
// the program, the filter that `gatehouse serve` runs, the roots that TLS needs, and the licences.
func CLI(programs []Program, module []byte, licences string, about About) (v1.ImageIndex, error) {
	roots, err := certificates()
	if err != nil {
		return nil, err
	}
	shared, err := layer(types.OCILayer,
		file{"etc/ssl/certs/ca-certificates.crt", 0o644, roots},
		file{"gatehouse.wasm", 0o644, module},
		file{"licenses.txt", 0o644, []byte(licences)})
	if err != nil {
		return nil, err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range programs {
		program, err := layer(types.OCILayer, file{"gatehouse", 0o755, p.Binary})
		if err != nil {
			return nil, err
		}
		base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
		img, err := image(base, &v1.ConfigFile{
			OS: "linux", Architecture: p.Arch, Created: v1.Time{Time: about.Created.UTC()},
			Config: v1.Config{User: nobody, Entrypoint: []string{"/gatehouse"}, WorkingDir: "/", Labels: about.annotations("gatehouse-cli")},
		}, shared, program)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: p.Arch}},
		})
	}
	return mutate.Annotations(index, about.annotations("gatehouse-cli")).(v1.ImageIndex), nil
}

// image is layers with a configuration.
func image(base v1.Image, config *v1.ConfigFile, layers ...v1.Layer) (v1.Image, error) {
	config.RootFS.Type = "layers"
	base, err := mutate.ConfigFile(base, config)
	if err != nil {
		return nil, err
	}
	img, err := mutate.Append(base, addenda(layers)...)
	if err != nil {
		return nil, err
	}
	return img, nil
}

// addenda leaves the layers' history empty: it would have to be dated.
func addenda(layers []v1.Layer) (list []mutate.Addendum) {
	for _, l := range layers {
		list = append(list, mutate.Addendum{Layer: l})
	}
	return list
}

// certificates are Mozilla's roots for servers, those alone that are trusted without conditions: a
// file of certificates can't state any.
func certificates() ([]byte, error) {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		if err := pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return nil, err
		}
	}
	if b.Len() == 0 {
		return nil, fmt.Errorf("no root certificates")
	}
	return b.Bytes(), nil
}

// Referrer is a document about an image, which registries list beside it (OCI distribution
// specification 1.1).
func Referrer(subject v1.Descriptor, media string, annotations map[string]string, document []byte) (v1.Image, error) {
	plain := v1.Descriptor{MediaType: subject.MediaType, Size: subject.Size, Digest: subject.Digest}
	return newArtifact(media, &plain, annotations, blob{types.MediaType(media), "", document})
}
