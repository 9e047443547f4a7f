package check

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// cli is `gatehouse`, built from the working tree.
var cli string

func TestMain(m *testing.M) {
	code := func() int {
		dir, err := os.MkdirTemp("", "gatehouse-deploy-")
		if err != nil {
			panic(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		cli = filepath.Join(dir, "gatehouse")
		if out, err := exec.Command("go", "build", "-C", "../..", "-o", cli, "./cmd/gatehouse").CombinedOutput(); err != nil {
			panic(string(out))
		}
		return m.Run()
	}()
	os.Exit(code)
}

// folders hold plain manifests.
var folders = []string{"../istio", "../envoy-gateway", "../kubernetes"}

func manifests(t *testing.T) (files []string) {
	t.Helper()
	for _, folder := range folders {
		found, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
		require.NoError(t, err)
		require.NotEmpty(t, found, folder)
		files = append(files, found...)
	}
	return files
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

// gatehouseCheck gives what `gatehouse check` writes about a text.
func gatehouseCheck(text string) (findings []string, ok bool) {
	command := exec.Command(cli, "check", "-")
	command.Stdin = strings.NewReader(text)
	command.Env = append(os.Environ(), "GATEHOUSE_ADMIN_TOKEN=0123456789abcdef0123456789abcdef")
	var lines bytes.Buffer
	command.Stderr = &lines
	ok = command.Run() == nil
	for line := range strings.Lines(lines.String()) {
		findings = append(findings, strings.TrimSpace(line))
	}
	return findings, ok
}

func TestManifestsFitTheirSchemas(t *testing.T) {
	for _, file := range manifests(t) {
		for _, doc := range documents(read(t, file)) {
			assert.Empty(t, checkObject(t, doc), "%s:\n%s", file, doc)
		}
	}
}

func TestTheSchemasRefuseMistakes(t *testing.T) {
	gate := read(t, "../istio/verify.yaml")
	docs := documents(gate)
	for _, c := range []struct{ doc, old, new, want string }{
		{docs[2], "phase: AUTHN", "phase: EARLY", `spec.phase: Unsupported value: "EARLY"`},
		{docs[2], "failStrategy:", "failStrateg:", "unknown field spec.failStrateg"},
		{docs[2], "valueFrom: HOST", "valueFrom: HOST, value: x", "value may only be set when valueFrom is INLINE"},
		{docs[0], "number: 443", "number: 0", "port must be between 1-65535"},
		{documents(read(t, "../envoy-gateway/gatehouse.yaml"))[0], "type: Image, image", "type: HTTP, image", "If type is HTTP, http field needs to be set"},
		{documents(read(t, "../kubernetes/gatehouse.yaml"))[1], "replicas:", "replica:", `unknown field "spec.replica"`},
		{documents(read(t, "../kubernetes/gatehouse.yaml"))[1], "apps/v1", "apps/v9", "no kind"},
	} {
		require.Contains(t, c.doc, c.old)
		assert.Contains(t, strings.Join(checkObject(t, strings.Replace(c.doc, c.old, c.new, 1)), "\n"), c.want, c.new)
	}
}

// withoutGate are files that hold no configuration of Gatehouse.
var withoutGate = []string{"../envoy-gateway/gateway.yaml"}

func TestManifestsPassGatehouseCheck(t *testing.T) {
	for _, file := range manifests(t) {
		findings, ok := gatehouseCheck(read(t, file))
		if slices.Contains(withoutGate, file) {
			assert.Equal(t, []string{"-: no configuration of Gatehouse in it"}, findings, file)
			continue
		}
		assert.True(t, ok, "%s: %v", file, findings)
		// Istio gives a WasmPlugin no vm_id, so the admin API beside it has none.
		findings = slices.DeleteFunc(findings, func(s string) bool {
			return strings.HasPrefix(file, "../istio/") && strings.Contains(s, "EnvoyFilter shop/gatehouse-admin: shop.gatehouse-admin: vm_config.vm_id: warning: not set")
		})
		assert.Empty(t, findings, file)
	}
}

// configurations finds the configurations of a text, by what holds them.
func configurations(t *testing.T, text string) map[string]map[string]any {
	t.Helper()
	out := map[string]map[string]any{}
	for _, doc := range documents(text) {
		var object map[string]any
		require.NoError(t, yaml.Unmarshal([]byte(doc), &object))
		collect(t, kindOf(object)+" "+nameOf(object), object, out)
	}
	return out
}

func collect(t *testing.T, at string, node any, out map[string]map[string]any) {
	t.Helper()
	switch v := node.(type) {
	case map[string]any:
		for _, name := range []string{"pluginConfig", "config"} {
			if config, ok := v[name].(map[string]any); ok && config["routes"] != nil {
				out[at] = config
			}
		}
		if text, ok := v["value"].(string); ok && strings.Contains(text, `"routes"`) {
			var config map[string]any
			require.NoError(t, json.Unmarshal([]byte(text), &config), at)
			out[at+" "+map[bool]string{true: "admin", false: "gate"}[config["admin"] != nil]] = config
		}
		for name, child := range v {
			if text, ok := child.(string); ok && strings.HasSuffix(name, ".yaml") {
				var inner any
				require.NoError(t, yaml.Unmarshal([]byte(text), &inner), at)
				child = inner
			}
			collect(t, at, child, out)
		}
	case []any:
		for _, child := range v {
			collect(t, at, child, out)
		}
	}
}

// TestTheAdminAPIHasTheGatesConfiguration holds each admin API's configuration against its gate's.
func TestTheAdminAPIHasTheGatesConfiguration(t *testing.T) {
	for _, c := range []struct{ gate, gateAt, admin, adminAt string }{
		{"../istio/verify.yaml", "extensions.istio.io/v1alpha1 WasmPlugin gatehouse",
			"../istio/admin.yaml", "networking.istio.io/v1alpha3 EnvoyFilter gatehouse-admin admin"},
		{"../envoy-gateway/gatehouse.yaml", "gateway.envoyproxy.io/v1alpha1 EnvoyExtensionPolicy gatehouse",
			"../envoy-gateway/admin.yaml", "gateway.envoyproxy.io/v1alpha1 EnvoyExtensionPolicy gatehouse-admin"},
		{"../kubernetes/gatehouse.yaml", "v1 ConfigMap gatehouse gate", "../kubernetes/gatehouse.yaml", "v1 ConfigMap gatehouse admin"},
	} {
		gate := configurations(t, read(t, c.gate))[c.gateAt]
		admin := configurations(t, read(t, c.admin))[c.adminAt]
		require.NotNil(t, gate, c.gateAt)
		require.NotNil(t, admin, c.adminAt)
		assert.Contains(t, admin, "admin")
		delete(admin, "admin")
		assert.Equal(t, gate, admin, c.admin)
	}
}
