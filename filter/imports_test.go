package main_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// basics are leaves that all of core may import.
var basics = []string{"core/ascii", "core/clock", "core/reason"}

// arrows say who may import whom among this module's packages: the first pattern that fits a
// package holds. A pattern ends in /** for all below.
var arrows = []struct {
	pkg string
	may []string
}{
	{"core/ascii", nil},
	{"core/clock", nil},
	{"core/reason", nil},
	{"core/version", nil},
	{"core/ipaddr", basics},
	{"core/claims", basics},
	{"core/policy", append(basics, "core/caller", "core/ipaddr")},
	{"core/policy/policytest", nil},
	{"core/policy/policytest/generate", []string{"core/policy/policytest"}},
	{"core/ratelimit", append(basics, "core/ipaddr")},
	{"core/ratelimit/ratelimittest", append(basics, "core/ratelimit")},
	{"core/audit", append(basics, "core/ipaddr")},
	{"core/metrics", append(basics, "core/audit", "core/caller")},
	{"core/jwks/montgomery", nil},
	{"core/jwks/ec", []string{"core/jwks/montgomery"}},
	{"core/jwks/rsa", []string{"core/jwks/montgomery"}},
	{"core/jwks", append(basics, "core/jwks/ec", "core/jwks/rsa")},
	{"core/jwt", append(basics, "core/jwks", "core/jwks/ec", "core/jwks/rsa", "core/claims")},
	{"core/caller", append(basics, "core/claims")},
	{"core/config", append(basics, "core/audit", "core/caller", "core/jwks", "core/jwt", "core/metrics", "core/policy", "core/ratelimit")},
	{"core", []string{"core/**"}},
	{"filter", []string{"filter/internal/faultswitch", "filter/internal/host", "filter/internal/plugin", "filter/internal/proxy"}},
	{"filter/internal/faultswitch", []string{"filter/internal/proxy"}},
	{"filter/internal/proxy", []string{"core/clock"}},
	{"filter/internal/proxy/proxytest", []string{"core/clock", "filter/internal/proxy"}},
	{"filter/internal/host", []string{"core/clock", "filter/internal/proxy"}},
	{"filter/internal/metadata", []string{"core", "core/claims", "core/reason"}},
	{"filter/internal/admin", []string{"core", "core/**"}},
	{"filter/internal/shared", []string{"core", "core/**", "filter/internal/proxy"}},
	{"filter/internal/shared/probe", []string{"core/clock", "core/ratelimit", "filter/internal/host", "filter/internal/proxy", "filter/internal/shared"}},
	{"filter/internal/keys", []string{"core", "core/**", "filter/internal/proxy", "filter/internal/shared"}},
	{"filter/internal/sink", []string{"core/clock", "core/config", "filter/internal/proxy"}},
	{"filter/internal/plugin", []string{"core", "core/**", "filter/internal/admin", "filter/internal/keys", "filter/internal/metadata", "filter/internal/proxy", "filter/internal/shared", "filter/internal/sink"}},
	{"hostsim/abi", nil},
	{"hostsim/internal/probe", nil},
	{"hostsim/internal/clock", nil},
	{"hostsim/internal/protobuf", nil},
	{"hostsim/internal/fields", []string{"hostsim/abi"}},
	{"hostsim/internal/shared", []string{"hostsim/abi"}},
	{"hostsim/internal/metrics", []string{"hostsim/abi"}},
	{"hostsim/internal/foreign", []string{"hostsim/abi", "hostsim/internal/protobuf"}},
	{"hostsim/internal/property", []string{"hostsim/abi", "hostsim/internal/fields"}},
	{"hostsim/internal/wasm", []string{"hostsim/abi"}},
	{"hostsim/internal/stream", []string{"hostsim/abi", "hostsim/internal/clock", "hostsim/internal/fields", "hostsim/internal/property"}},
	{"hostsim/internal/callout", []string{"hostsim/abi", "hostsim/internal/clock", "hostsim/internal/fields", "hostsim/internal/protobuf"}},
	{"hostsim/internal/vm", []string{
		"hostsim/abi", "hostsim/internal/callout", "hostsim/internal/clock", "hostsim/internal/metrics", "hostsim/internal/shared",
		"hostsim/internal/stream", "hostsim/internal/wasm",
	}},
	{"hostsim/internal/thread", []string{"hostsim/abi", "hostsim/internal/vm"}},
	{"hostsim/internal/hostcall", []string{
		"hostsim/abi", "hostsim/internal/callout", "hostsim/internal/fields", "hostsim/internal/property", "hostsim/internal/stream",
		"hostsim/internal/vm", "hostsim/internal/wasm",
	}},
	{"hostsim", []string{"hostsim/abi", "hostsim/internal/**"}},
	{"hostsim/hostsimtest", []string{"hostsim"}},
	{"hostsim/proxy", []string{"hostsim", "hostsim/abi"}},
	{"hostsim/conformance", []string{"hostsim", "hostsim/abi", "hostsim/proxy"}},
	{"cmd/postlink", []string{"cmd/postlink/module", "core/version"}},
	{"cmd/postlink/module", nil},
	{"cmd/testbed/envoy", []string{"cmd/testbed/child"}},
	{"cmd/testbed/libraries", []string{"cmd/testbed/envoy"}},
	{"cmd/testbed/**", nil},
	{"cmd/gatehouse/**", []string{"cmd/**", "core", "core/**", "hostsim", "hostsim/**"}},
	{"cmd/gatehouse", []string{"cmd/**", "core", "core/**"}},
	{"e2e", []string{"e2e/**", "cmd/testbed/**"}},
	{"e2e/abifuzz", []string{"cmd/testbed/**", "core", "core/**", "hostsim", "hostsim/**"}},
	{"e2e/linear/counted", nil},
	{"e2e/linear/work", []string{"core", "core/**", "e2e/linear/counted"}},
	{"e2e/paths", []string{"cmd/testbed/**", "core/policy", "core/policy/policytest"}},
	{"e2e/scenario/native", []string{"e2e/**", "cmd/testbed/**", "core", "core/**"}},
	{"e2e/**", []string{"e2e/**", "cmd/testbed/**", "hostsim", "hostsim/**"}},
	{"examples/**", []string{"e2e/**", "cmd/testbed/**", "hostsim", "hostsim/**"}},
}

// jsontext is all that core uses beside the standard library.
const jsontext = "github.com/go-json-experiment/json/jsontext"

// unwelcome are packages that core doesn't import, for size, start-up or because it does no such
// thing.
var unwelcome = []string{"reflect", "encoding/json", "regexp", "text/template", "net/http", "time", "os", "net"}

// unlinked are packages that must not be in the .wasm, whoever brings them.
var unlinked = []string{
	"encoding/json", "regexp", "text/template", "net", "net/http", "net/netip", "crypto/x509", "crypto/ecdsa", "crypto/elliptic", "crypto/tls",
	"crypto/rsa", "encoding/asn1", faultSwitch,
}

// dropped are packages that dependencies import, but whose code the linker drops as nothing calls
// it. One call brings all of it: fmt with reflect is 0.2 MB, and so is the error of hex.Decode.
var dropped = []string{"fmt", "internal/fmtsort", "math/big", "crypto/internal/fips140/rsa"}

// faultSwitch lets a request kill its VM, for tests.
const faultSwitch = "gatehouse/filter/internal/faultswitch"

// importersOfTheSDK are the filter's binding, and the module that does nothing, which make bench
// measures it against.
var importersOfTheSDK = []string{"filter/internal/host", "e2e/bench/noop"}

type goPackage struct {
	ImportPath string
	Imports    []string
	Module     *struct{ Path string }
	Standard   bool
}

func TestImportsFollowTheArrows(t *testing.T) {
	for _, env := range [][]string{nil, {"GOOS=wasip1", "GOARCH=wasm"}} {
		for _, p := range list(t, env, "./...") {
			here := strings.TrimPrefix(p.ImportPath, "gatehouse/")
			allowed, known := allowedFor(here)
			if !known {
				t.Errorf("%s: no rule says what it may import", here)
			}
			for _, imp := range p.Imports {
				if ours, ok := strings.CutPrefix(imp, "gatehouse/"); ok {
					if !fits(allowed, ours) {
						t.Errorf("%s imports %s", here, ours)
					}
					continue
				}
				if strings.HasPrefix(here, "core") && !strings.HasSuffix(here, "test") && !strings.HasPrefix(here, "core/policy/policytest/") {
					if slices.Contains(unwelcome, imp) || strings.Contains(imp, ".") && imp != jsontext {
						t.Errorf("%s imports %s", here, imp)
					}
				}
				if strings.Contains(imp, "proxy-wasm-go-sdk") && !slices.Contains(importersOfTheSDK, here) && !strings.Contains(here, "probe") {
					t.Errorf("%s imports the SDK; only filter/internal/host does", here)
				}
			}
		}
	}
}

func TestImportsOfTheWasmLeaveOutWhatItMustNotCarry(t *testing.T) {
	for _, p := range list(t, []string{"GOOS=wasip1", "GOARCH=wasm"}, "-deps", "./filter") {
		if slices.Contains(unlinked, p.ImportPath) {
			t.Errorf("the .wasm carries %s", p.ImportPath)
		}
		if p.Standard || strings.HasPrefix(p.ImportPath, "gatehouse/") {
			continue
		}
		require.NotNil(t, p.Module, p.ImportPath)
		require.Contains(t, []string{"github.com/go-json-experiment/json", "github.com/proxy-wasm/proxy-wasm-go-sdk"}, p.Module.Path)
	}
}

func allowedFor(pkg string) (may []string, known bool) {
	for _, a := range arrows {
		if fits([]string{a.pkg}, pkg) {
			return a.may, true
		}
	}
	return nil, false
}

func fits(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		below, all := strings.CutSuffix(p, "**")
		return p == pkg || all && strings.HasPrefix(pkg, below)
	})
}

// list asks go list, which applies build constraints as the build does.
func list(t *testing.T, env []string, args ...string) (out []goPackage) {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Module,Standard"}, args...)...)
	cmd.Dir = path.Join("..")
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	for d := json.NewDecoder(stdout); ; {
		var p goPackage
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		out = append(out, p)
	}
	require.NoError(t, cmd.Wait())
	require.NotEmpty(t, out)
	return out
}
