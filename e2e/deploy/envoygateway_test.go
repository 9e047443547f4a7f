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
	"gatehouse/e2e/envoytest"
)

// TestEnvoyGatewayRunsItsManifests has Envoy Gateway itself translate the manifests, in its
// standalone mode: it reads them from files, fetches the filter, and starts Envoy as a child.
func TestEnvoyGatewayRunsItsManifests(t *testing.T) {
	g := &gateway{program: translator(t, "envoygateway", "github.com/envoyproxy/gateway/cmd/envoy-gateway"), o: envoy.OptionsForTest(t)}
	if g.o.Binary.Path == "" {
		t.Skip("Envoy Gateway starts an executable, and there is only an image")
	}
	t.Run("gatehouse.yaml and admin.yaml", g.verifies)
	t.Run("security-policy.yaml", g.behindSecurityPolicy)
}

// gateway is Envoy Gateway, and the Envoy that it starts.
type gateway struct {
	program string
	o       envoy.Options
}

// running is where a started gateway is reached.
type running struct {
	gate, admin, stats string // "http://host:port"
	audit              string // a file
}

// start has Envoy Gateway run gateway.yaml and other manifests, with the filter from an HTTP server
// in place of a registry.
func (g *gateway) start(t *testing.T, w *world, manifests ...string) running {
	t.Helper()
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	require.NoError(t, os.MkdirAll(in, 0o755))
	// Where it looks for an Envoy before it downloads one.
	bin := filepath.Join(dir, "data", "envoy-versions", g.o.Binary.Version, "bin")
	require.NoError(t, os.MkdirAll(bin, 0o755))
	require.NoError(t, os.Symlink(g.o.Binary.Path, filepath.Join(bin, "envoy")))
	certificates := filepath.Join(dir, "config")
	out, err := exec.CommandContext(t.Context(), g.program, "certgen", "--local", "--config-home", certificates).CombinedOutput()
	require.NoError(t, err, "%s", out)
	certificates = filepath.Join(certificates, "certs", "envoy")

	gate, admin := strconv.Itoa(envoytest.FreePort(t)), strconv.Itoa(envoytest.FreePort(t))
	r := running{gate: "http://127.0.0.1:" + gate, admin: "http://127.0.0.1:" + admin, audit: filepath.Join(dir, "audit.log")}
	ca, err := os.ReadFile(w.ca)
	require.NoError(t, err)
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(in, name), []byte(text), 0o600))
	}
	// The manifests, but for what this machine hasn't: a registry, DNS, a cluster with Services.
	write("gateway.yaml", edit(t, inDeploy(t, "envoy-gateway/gateway.yaml"),
		"- {name: http, protocol: HTTP, port: 10080}",
		"- {name: admin, protocol: HTTP, port: "+admin+"}\n  - {name: http, protocol: HTTP, port: "+gate+"}",
		"backendRefs: [{name: orders, port: 8080}]", "backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: orders}]",
		"type: Kubernetes\n    kubernetes:", "type: Host\n    host: {envoyVersion: "+g.o.Binary.Version+"}\n    kubernetes:",
		"path: /dev/stdout", "path: "+r.audit))
	filter := "code: {type: HTTP, http: {url: " + serveFile(t, g.o.Wasm) + "}}"
	for i, manifest := range manifests {
		write(strconv.Itoa(i)+".yaml", edit(t, manifest, `code: {type: Image, image: {url: "registry.example/gatehouse:VERSION"}}`, filter))
	}
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
	server := exec.Command(g.program, "server", "-c", config)
	server.Env = append(os.Environ(), "GATEHOUSE_ADMIN_TOKEN="+adminToken, "HOME="+dir)
	log := startProgram(t, server)
	t.Cleanup(func() { assert.NotContains(t, log.String(), "rejected", "Envoy took what Envoy Gateway made") })
	ready(t, r.gate)
	found, err := filepath.Glob(filepath.Join(dir, "run", "*", "admin-address.txt"))
	require.NoError(t, err)
	require.Len(t, found, 1)
	address, err := os.ReadFile(found[0])
	require.NoError(t, err)
	r.stats = "http://" + string(address)
	return r
}

// idpHere leads a manifest's Backend to the world's identity provider, and trusts its authority.
func idpHere(t *testing.T, w *world, manifest string) string {
	t.Helper()
	return edit(t, manifest,
		"fqdn: {hostname: idp.example, port: 443}", "ip: {address: 127.0.0.1, port: "+port(t, w.idp)+"}",
		"wellKnownCACertificates: System", `caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]`)
}

// audited waits for an event in the access log.
func (r running) audited(t *testing.T, texts ...string) {
	t.Helper()
	require.Eventually(t, func() bool {
		events, _ := os.ReadFile(r.audit)
		for line := range strings.Lines(string(events)) {
			if containsAll(line, texts) {
				return true
			}
		}
		return false
	}, patience, patience/1000, "no audit event in the access log: %v", texts)
}

func (g *gateway) verifies(t *testing.T) {
	w := newWorld(t)
	r := g.start(t, w, idpHere(t, w, inDeploy(t, "envoy-gateway/gatehouse.yaml")), inDeploy(t, "envoy-gateway/admin.yaml"))
	w.fourAnswers(t, r.gate)
	r.audited(t, `"event_type":"rate_limited"`, `"user_id":"alice"`)
	labelled(t, r.stats+"/stats/prometheus")

	// The admin API has the gate's limits, on loopback alone.
	for token, want := range map[string]int{"": 401, adminToken: 200} {
		status, _, body, err := ask(t, http.MethodGet, r.admin+"/rate-limits/per-caller/user_id=main/alice", token)
		require.NoError(t, err)
		assert.Equal(t, want, status, body)
		if token != "" {
			assert.Contains(t, body, `"remaining":0`)
		}
	}
	_, _, listeners, err := ask(t, http.MethodGet, r.stats+"/listeners", "")
	require.NoError(t, err)
	assert.Contains(t, listeners, "shop/eg/admin::"+strings.TrimPrefix(r.admin, "http://"))

	// Paths arrive as they were sent.
	status, _, body, err := ask(t, http.MethodGet, r.gate+"/a%2Fb", "")
	require.NoError(t, err)
	assert.Equal(t, 400, status, body)
}

func (g *gateway) behindSecurityPolicy(t *testing.T) {
	w := newWorld(t)
	manifest := edit(t, inDeploy(t, "envoy-gateway/security-policy.yaml"), "name: gatehouse-idp, port: 443", "name: gatehouse-idp, port: "+port(t, w.idp))
	r := g.start(t, w, idpHere(t, w, manifest))
	w.fourAnswers(t, r.gate)
	r.audited(t, `"event_type":"rate_limited"`, `"user_id":"alice"`)
	r.audited(t, `"event_type":"auth_failure"`, `"origin":"jwt_authn"`)
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

// standalonePatch points Envoy at the server that Envoy Gateway has for filters. Even in its
// standalone mode it gives the address and the authority that these have in a cluster.
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
