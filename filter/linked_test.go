package main_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTheModuleLinksNoCodeThatItMustNotCarry looks at the functions of the linked module. A package
// that is imported and whose code the linker drops costs nothing; what counts is what is left.
func TestTheModuleLinksNoCodeThatItMustNotCarry(t *testing.T) {
	functions := linked(t)
	packages := map[string]bool{}
	for _, name := range functions {
		if pkg, _, ok := strings.Cut(name, "."); ok {
			packages[pkg] = true
		}
	}
	require.True(t, packages["gatehouse_core"], "names are read as the linker writes them")
	require.True(t, packages["runtime"])
	for _, pkg := range slices.Concat(unlinked, dropped) {
		symbol := strings.NewReplacer("/", "_").Replace(pkg)
		assert.False(t, packages[symbol], "the module carries code of %s", pkg)
	}
}

// TestTheFaultSwitchIsAnotherModule holds that only a build with the tag has the switch by which a
// request kills its VM, and that no command builds what is shipped with it.
func TestTheFaultSwitchIsAnotherModule(t *testing.T) {
	wasm := []string{"GOOS=wasip1", "GOARCH=wasm"}
	has := func(packages []goPackage) bool {
		return slices.ContainsFunc(packages, func(p goPackage) bool { return p.ImportPath == faultSwitch })
	}
	assert.False(t, has(list(t, wasm, "-deps", "./filter")))
	assert.True(t, has(list(t, wasm, "-tags", "faultswitch", "-deps", "./filter")))
	vet := exec.Command("go", "vet", "-tags", "faultswitch", "-unsafeptr=false", "./...") // no other check compiles it
	vet.Env = append(os.Environ(), wasm...)
	out, err := vet.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, file := range []string{"../Makefile", "../.ci/run"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.NotContains(t, string(text), "faultswitch", file)
	}
}

// linked builds the module with names and returns those of its functions.
func linked(t *testing.T) (names []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "filter.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-o", file, ".")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	module, err := os.ReadFile(file)
	require.NoError(t, err)
	r := reader{t, module[8:]}
	for len(r.b) > 0 {
		kind := r.take(1)[0]
		section := reader{t, r.take(int(r.number()))}
		if kind != 0 || !bytes.Equal(section.take(int(section.number())), []byte("name")) {
			continue
		}
		for len(section.b) > 0 { // subsections of the name section; 1 has the functions
			kind := section.take(1)[0]
			sub := reader{t, section.take(int(section.number()))}
			if kind != 1 {
				continue
			}
			for range sub.number() {
				sub.number()
				names = append(names, string(sub.take(int(sub.number()))))
			}
		}
	}
	require.NotEmpty(t, names)
	return names
}

// reader reads the parts of a WebAssembly module.
type reader struct {
	t *testing.T
	b []byte
}

func (r *reader) number() uint64 {
	v, n := binary.Uvarint(r.b)
	require.Positive(r.t, n)
	r.b = r.b[n:]
	return v
}

func (r *reader) take(n int) (part []byte) {
	require.LessOrEqual(r.t, n, len(r.b))
	part, r.b = r.b[:n], r.b[n:]
	return part
}
