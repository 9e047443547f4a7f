package deploy_test

import (
	"encoding/base64"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

// TestEnvoyGatewayRunsItsManifests has Envoy Gateway itself translate the manifests, in its standalone
// mode: it reads them from files, fetches the filter, and starts Envoy as a child.
func TestEnvoyGatewayRunsItsManifests(t *testing.T) {
	program := translator(t, "envoygateway", "github.com/envoyproxy/gateway/cmd/envoy-gateway")
	o := envoy.OptionsForTest(t)
	if o.Binary.Path == "" {
		t.Skip("Envoy Gateway starts an executable, and there is only an image")
	}
	w := newWorld(t)
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	require.NoError(t, os.MkdirAll(in, 0o755))

	// Where it looks for an Envoy before it downloads one.
	bin := filepath.Join(dir, "data", "envoy-versions", o.Binary.Version, "bin")
	require.NoError(t, os.MkdirAll(bin, 0o755))
	require.NoError(t, os.Symlink(o.Binary.Path, filepath.Join(bin, "envoy")))
	certificates := filepath.Join(dir, "config")
	out, err := exec.CommandContext(t.Context(), program, "certgen", "--local", "--config-home", certificates).CombinedOutput()
	require.NoError(t, err, "%s", out)
	certificates = filepath.Join(certificates, "certs", "envoy")

	gate, admin := freePort(t), freePort(t)
	ca, err := os.ReadFile(w.ca)
	require.NoError(t, err)
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(in, name), []byte(text), 0o600))
	}
	// The manifests, but for what this machine hasn't: a registry, DNS, a cluster with Services, the provider's own authority.
	write("gateway.yaml", edit(t, inDeploy(t, "envoy-gateway/gateway.yaml"),
		"- {name: http, protocol: HTTP, port: 10080}", "- {name: admin, protocol: HTTP, port: "+strconv.Itoa(admin)+"}\n  - {name: http, protocol: HTTP, port: "+strconv.Itoa(gate)+"}",
		"backendRefs: [{name: orders, port: 8080}]", "backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: orders}]",
		"type: Kubernetes\n    kubernetes:", "type: Host\n    host: {envoyVersion: "+o.Binary.Version+"}\n    kubernetes:",
		"path: /dev/stdout", "path: "+filepath.Join(dir, "audit.log")))
	const image = `code: {type: Image, image: {url: "registry.example/gatehouse:VERSION"}}`
	filter := "code: {type: HTTP, http: {url: " + serveFile(t, o.Wasm) + "}}"
	write("admin.yaml", edit(t, inDeploy(t, "envoy-gateway/admin.yaml"), image, filter))
	write("gatehouse.yaml", edit(t, inDeploy(t, "envoy-gateway/gatehouse.yaml"),
		image, filter,
		"fqdn: {hostname: idp.example, port: 443}", "ip: {address: 127.0.0.1, port: "+port(t, w.idp)+"}",
		"wellKnownCACertificates: System", `caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]`))
	write("machine.yaml", toYAML(t,
		backend("orders", port(t, w.upstream.Address())),
		object("v1", "ConfigMap", "ca", map[string]any{"data": map[string]any{"ca.crt": string(ca)}}),
		controlPlaneSecret(t, certificates), standalonePatch(certificates)))
	config := filepath.Join(dir, "envoy-gateway.yaml")
	require.NoError(t, os.WriteFile(config, []byte(toYAML(t, map[string]any{
		"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "EnvoyGateway",
		"gateway": map[string]any{"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"},
		"provider": map[string]any{"type": "Custom", "custom": map[string]any{
			"resource": map[string]any{"type": "File", "file": map[string]any{"paths": []string{in}}},
			"infrastructure": map[string]any{"type": "Host", "host": map[string]any{"configHome": filepath.Join(dir, "config"),
				"dataHome": filepath.Join(dir, "data"), "stateHome": filepath.Join(dir, "state"), "runtimeDir": filepath.Join(dir, "run")}},
		}},
		"extensionApis": map[string]any{"enableBackend": true, "enableEnvoyPatchPolicy": true},
	})), 0o600))
	server := exec.Command(program, "server", "-c", config)
	server.Env = append(os.Environ(), "GATEHOUSE_ADMIN_TOKEN="+adminToken, "HOME="+dir)
	log := startProgram(t, server)
	base := "http://127.0.0.1:" + strconv.Itoa(gate)
	ready(t, base)
	w.fourAnswers(t, base)
	assert.NotContains(t, log.String(), "rejected")

	require.Eventually(t, func() bool {
		events, _ := os.ReadFile(filepath.Join(dir, "audit.log"))
		return strings.Contains(string(events), `"event_type":"rate_limited","user_id":"alice"`)
	}, patience, patience/1000, "no audit event in the access log")
	found, err := filepath.Glob(filepath.Join(dir, "run", "*", "admin-address.txt"))
	require.NoError(t, err)
	require.Len(t, found, 1)
	address, err := os.ReadFile(found[0])
	require.NoError(t, err)
	labelled(t, "http://"+string(address)+"/stats/prometheus")

	// The admin API has the gate's limits, on loopback alone.
	for token, want := range map[string]int{"": 401, adminToken: 200} {
		status, _, body, err := ask(t, http.MethodGet, "http://127.0.0.1:"+strconv.Itoa(admin)+"/rate-limits/per-caller/user_id=main/alice", token)
		require.NoError(t, err)
		assert.Equal(t, want, status, body)
		if token != "" {
			assert.Contains(t, body, `"remaining":0`)
		}
	}
	_, _, listeners, err := ask(t, http.MethodGet, "http://"+string(address)+"/listeners", "")
	require.NoError(t, err)
	assert.Contains(t, listeners, "shop/eg/admin::127.0.0.1:"+strconv.Itoa(admin))
	// Paths arrive as they were sent.
	status, _, body, err := ask(t, http.MethodGet, base+"/a%2Fb", "")
	require.NoError(t, err)
	assert.Equal(t, 400, status, body)
}

// controlPlaneSecret is the certificate by which Envoy fetches the filter from Envoy Gateway. In a
// cluster its installation makes it.
func controlPlaneSecret(t *testing.T, dir string) map[string]any {
	t.Helper()
	data := map[string]any{}
	for _, name := range []string{"tls.crt", "tls.key", "ca.crt"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		data[name] = base64.StdEncoding.EncodeToString(text)
	}
	return map[string]any{"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "data": data,
		"metadata": map[string]any{"name": "envoy", "namespace": "envoy-gateway-system"}}
}

// standalonePatch points Envoy at the server that Envoy Gateway has for filters. Even in its standalone
// mode it gives the address and the authority that these have in a cluster.
func standalonePatch(certificates string) map[string]any {
	patch := func(jsonPath, path, value string) map[string]any {
		return map[string]any{"type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": "wasm_cluster",
			"operation": map[string]any{"op": "replace", "jsonPath": jsonPath, "path": path, "value": value}}
	}
	return object("gateway.envoyproxy.io/v1alpha1", "EnvoyPatchPolicy", "standalone", map[string]any{"spec": map[string]any{
		"targetRef": map[string]any{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "eg"}, "type": "JSONPatch",
		"jsonPatches": []any{
			patch("..trusted_ca", "filename", filepath.Join(certificates, "ca.crt")),
			patch("..socket_address", "address", "127.0.0.1"),
		},
	}})
}
