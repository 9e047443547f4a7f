// Package linked says which modules a program links, as the go command knows it.
package linked

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"gatehouse/core/version"
)

// Platform is what a program is built for.
type Platform struct{ OS, Arch string }

func (p Platform) String() string { return p.OS + "-" + p.Arch }

// Program is one that a release carries.
type Program struct {
	Name      string // gatehouse, gatehouse-filter
	Package   string // its main package, as a path below the repository's root
	Platforms []Platform
}

// Programs are all that a release carries.
var Programs = []Program{
	{"gatehouse-filter", "./filter", []Platform{{"wasip1", "wasm"}}},
	{"gatehouse", "./cmd/gatehouse", []Platform{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}}},
}

// Standard is the path of Go's standard library among modules.
const Standard = "std"

// Own is the path of Gatehouse's own module.
const Own = "gatehouse"

// Module is a module that a program links, Go's standard library, or a library for browsers that a
// package embeds.
type Module struct {
	Path    string
	Version string   // as the go command writes it; of Standard without "go"
	Folders []string // with the code that is linked, and those above it up to the module's root
	Needs   []string // paths of the modules whose packages it imports
	Licence string   // the file with the licence, if it isn't among Folders
	Browser bool     // it is JavaScript, from npm
}

type goPackage struct {
	ImportPath string
	Dir        string
	Standard   bool
	Imports    []string
	EmbedFiles []string
	Module     *struct {
		Path, Version, Dir string
		Replace            *struct{ Path string }
	}
	Error *struct{ Err string }
}

// Modules are those that a program links on any of its platforms, in the order of their paths.
func Modules(ctx context.Context, root string, p Program) ([]Module, error) {
	found := map[string]*Module{}
	for _, platform := range p.Platforms {
		packages, err := list(ctx, root, p.Package, platform)
		if err != nil {
			return nil, fmt.Errorf("%s on %s: %w", p.Package, platform, err)
		}
		if err := collect(ctx, found, packages); err != nil {
			return nil, err
		}
	}
	var modules []Module
	for _, path := range slices.Sorted(maps.Keys(found)) {
		m := found[path]
		m.Needs = sortedSet(m.Needs)
		m.Folders = sortedSet(m.Folders)
		modules = append(modules, *m)
	}
	return modules, nil
}

// list asks the go command for all packages that a program links.
func list(ctx context.Context, root, pkg string, platform Platform) ([]goPackage, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-json=ImportPath,Dir,Standard,Imports,EmbedFiles,Module,Error", pkg)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+platform.OS, "GOARCH="+platform.Arch)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	var packages []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, err
		}
		if p.Error != nil {
			return nil, errors.New(p.Error.Err)
		}
		packages = append(packages, p)
	}
}

// collect adds the modules of packages, and what they import from one another.
func collect(ctx context.Context, found map[string]*Module, packages []goPackage) error {
	owner := map[string]string{}
	for _, p := range packages {
		m, root, err := moduleOf(ctx, found, p)
		if err != nil {
			return err
		}
		owner[p.ImportPath] = m.Path
		if p.Standard {
			// Below its root there is only the licence of BoringSSL, which
			// GOEXPERIMENT=boringcrypto alone links.
			m.Folders = append(m.Folders, root)
			continue
		}
		for dir := p.Dir; ; dir = filepath.Dir(dir) {
			m.Folders = append(m.Folders, dir)
			if dir == root || dir == filepath.Dir(dir) {
				break
			}
		}
		if m.Path == Own {
			if err := collectEmbedded(found, p); err != nil {
				return err
			}
		}
	}
	for _, p := range packages {
		from := found[owner[p.ImportPath]]
		for _, imported := range p.Imports {
			if to := owner[imported]; to != "" && to != from.Path {
				from.Needs = append(from.Needs, to)
			}
		}
	}
	return nil
}

// moduleOf is a package's module and that module's folder.
func moduleOf(ctx context.Context, found map[string]*Module, p goPackage) (m *Module, root string, err error) {
	var path, version string
	switch {
	case p.Standard:
		path = Standard
		if version, root, err = toolchain(ctx); err != nil {
			return nil, "", err
		}
	case p.Module == nil:
		return nil, "", fmt.Errorf("%s belongs to no module", p.ImportPath)
	case p.Module.Replace != nil:
		return nil, "", fmt.Errorf("%s is replaced by %s: a release links what go.mod names", p.Module.Path, p.Module.Replace.Path)
	default:
		path, version, root = p.Module.Path, p.Module.Version, p.Module.Dir
	}
	if found[path] == nil {
		found[path] = &Module{Path: path, Version: cmp.Or(version, ownVersion)}
	}
	return found[path], root, nil
}

// ownVersion is that of Gatehouse, whose module has none.
const ownVersion = version.Version

var toolchainOnce struct{ version, root string }

// toolchain is the version of the go command, without "go", and the folder of its library.
func toolchain(ctx context.Context) (version, root string, err error) {
	if toolchainOnce.root == "" {
		out, err := exec.CommandContext(ctx, "go", "env", "GOVERSION", "GOROOT").Output()
		if err != nil {
			return "", "", fmt.Errorf("go env: %w", err)
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		if len(lines) != 2 {
			return "", "", fmt.Errorf("go env: want two lines, got %q", out)
		}
		toolchainOnce.version, toolchainOnce.root = strings.TrimPrefix(lines[0], "go"), lines[1]
	}
	return toolchainOnce.version, toolchainOnce.root, nil
}

// banner is how a library for browsers names its version at its beginning.
var banner = regexp.MustCompile(`^/\*! https://github\.com/[^ ]+ \(v(\d+\.\d+\.\d+)\) \*/`)

// collectEmbedded adds the libraries for browsers that a package embeds: vendor/NAME.* with
// NAME.LICENSE beside them and the version in the banner of a script.
func collectEmbedded(found map[string]*Module, p goPackage) error {
	for _, file := range p.EmbedFiles {
		dir, base := filepath.Split(file)
		if filepath.Base(filepath.Clean(dir)) != "vendor" {
			continue
		}
		name, _, _ := strings.Cut(base, ".")
		path := "npm/" + strings.ToLower(name)
		licence := filepath.Join(p.Dir, dir, name+".LICENSE")
		if _, err := os.Stat(licence); err != nil {
			return fmt.Errorf("%s: its licence is missing: %w", file, err)
		}
		m := found[path]
		if m == nil {
			m = &Module{Path: path, Licence: licence, Browser: true}
			found[path] = m
			found[Own].Needs = append(found[Own].Needs, path)
		}
		if filepath.Ext(base) == ".js" {
			text, err := os.ReadFile(filepath.Join(p.Dir, file))
			if err != nil {
				return err
			}
			v := banner.FindSubmatch(text)
			if v == nil {
				return fmt.Errorf("%s: no version in its first line", file)
			}
			m.Version = string(v[1])
		}
	}
	return nil
}

func sortedSet(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
