// Package sbom writes bills of materials in the form of CycloneDX.
package sbom

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	"github.com/package-url/packageurl-go"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"gatehouse/core/version"
	"gatehouse/deploy/release/internal/licence"
	"gatehouse/deploy/release/internal/linked"
)

// MediaType is that of CycloneDX as JSON (IANA).
const MediaType = "application/vnd.cyclonedx+json"

// specification is the version of CycloneDX that is written; older readers take it.
const specification = cyclonedx.SpecVersion1_6

// Subject is what a bill of materials is about.
type Subject struct {
	Program linked.Program
	Modules []linked.Module
	Files   map[string][]byte // the program's files by name, if they are built already
	Time    time.Time         // of the release
}

// Write returns the bill of materials as JSON: the same bytes for the same subject.
func Write(s Subject) ([]byte, error) {
	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{
		Timestamp: s.Time.UTC().Format(time.RFC3339),
		Component: root(s),
	}
	var components []cyclonedx.Component
	var dependencies []cyclonedx.Dependency
	names := references(s)
	for _, m := range s.Modules {
		var needs []string
		for _, path := range m.Needs {
			needs = append(needs, names[path])
		}
		d := cyclonedx.Dependency{Ref: names[m.Path]}
		if len(needs) > 0 {
			d.Dependencies = &needs
		}
		dependencies = append(dependencies, d)
		if m.Path == linked.Own {
			continue
		}
		c, err := component(m, names[m.Path])
		if err != nil {
			return nil, err
		}
		components = append(components, c)
	}
	bom.Components, bom.Dependencies = &components, &dependencies
	unnamed, err := encode(bom)
	if err != nil {
		return nil, err
	}
	bom.SerialNumber = serial(unnamed)
	return encode(bom)
}

// root is the component that the bill is about.
func root(s Subject) *cyclonedx.Component {
	c := &cyclonedx.Component{
		Type: cyclonedx.ComponentTypeApplication, BOMRef: s.Program.Name, Name: s.Program.Name, Version: version.Version,
		Licenses: &cyclonedx.Licenses{{License: &cyclonedx.License{ID: "Apache-2.0"}}},
	}
	if len(s.Files) == 1 {
		for _, content := range s.Files {
			c.Hashes = &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: fmt.Sprintf("%x", sha256.Sum256(content))}}
		}
	}
	return c
}

// references are the names of modules within the bill.
func references(s Subject) map[string]string {
	names := map[string]string{}
	for _, m := range s.Modules {
		names[m.Path] = locator(m)
	}
	names[linked.Own] = s.Program.Name
	return names
}

// locator is a module's package URL.
func locator(m linked.Module) string {
	kind, path := packageurl.TypeGolang, m.Path
	if m.Browser {
		kind, path = packageurl.TypeNPM, strings.TrimPrefix(m.Path, "npm/")
	}
	namespace, name := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		namespace, name = path[:i], path[i+1:]
	}
	return packageurl.NewPackageURL(kind, namespace, name, m.Version, nil, "").ToString()
}

// component is a module, with the text of its licence.
func component(m linked.Module, reference string) (cyclonedx.Component, error) {
	l, err := licence.Of(m)
	if err != nil {
		return cyclonedx.Component{}, err
	}
	var licences cyclonedx.Licenses
	for _, id := range l.IDs {
		licences = append(licences, cyclonedx.LicenseChoice{License: &cyclonedx.License{ID: id}})
	}
	for _, f := range l.Files {
		licences = append(licences, cyclonedx.LicenseChoice{License: &cyclonedx.License{
			Name: f.Name, Text: &cyclonedx.AttachedText{ContentType: "text/plain", Content: f.Text},
		}})
	}
	return cyclonedx.Component{
		Type: cyclonedx.ComponentTypeLibrary, BOMRef: reference, PackageURL: reference, Name: strings.TrimPrefix(m.Path, "npm/"), Version: m.Version,
		Scope: cyclonedx.ScopeRequired, Licenses: &licences,
	}, nil
}

func encode(bom *cyclonedx.BOM) ([]byte, error) {
	var b bytes.Buffer
	if err := cyclonedx.NewBOMEncoder(&b, cyclonedx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, specification); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// serial makes a bill's serial number out of its content: a UUID of version 8 (RFC 9562, 5.8).
func serial(content []byte) string {
	sum := sha256.Sum256(content)
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// Validate holds a bill against the schema that CycloneDX publishes.
func Validate(ctx context.Context, bill []byte) error {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		return fmt.Errorf("finding the schema: %w", err)
	}
	folder := filepath.Join(strings.TrimSpace(string(out)), "schema")
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(jsonschema.SchemeURLLoader{"file": jsonschema.FileLoader{}, "http": published(folder)})
	schema, err := compiler.Compile(filepath.Join(folder, "bom-"+specification.String()+".schema.json"))
	if err != nil {
		return err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(bill))
	if err != nil {
		return err
	}
	return schema.Validate(document)
}

// published finds schemas of cyclonedx.org in a folder.
type published string

func (folder published) Load(url string) (any, error) {
	name, ok := strings.CutPrefix(url, "http://cyclonedx.org/schema/")
	if !ok {
		return nil, fmt.Errorf("unknown schema %s", url)
	}
	if name == "jsf-0.82.schema.json" {
		name = "jsf-0.82.schemax.json"
	}
	return jsonschema.FileLoader{}.Load("file://" + filepath.ToSlash(filepath.Join(string(folder), name)))
}
