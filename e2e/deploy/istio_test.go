package deploy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
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

// mesh is Istio around one sidecar: what istiod makes of resources, pilot-agent, and Envoy below
// it. Nothing is intercepted, so the sidecar has a listener of its own for the workload.
type mesh struct {
	control, agent, template string // programs and a file of Istio's
	o                        envoy.Options
}

func newMesh(t *testing.T) *mesh {
	t.Helper()
	m := &mesh{control: translator(t, "istio", "."), agent: translator(t, "istio", "istio.io/istio/pilot/cmd/pilot-agent"), o: envoy.OptionsForTest(t)}
	if m.o.Binary.Path == "" {
		t.Skip("pilot-agent starts an executable, and there is only an image")
	}
	root, err := envoy.RepoRoot()
	require.NoError(t, err)
	dir, err := exec.CommandContext(t.Context(), "go", "-C", filepath.Join(root, "deploy", "translate", "istio"), "list", "-m", "-f", "{{.Dir}}", "istio.io/istio").Output()
	require.NoError(t, err)
	m.template = filepath.Join(strings.TrimSpace(string(dir)), "tools", "packaging", "common", "envoy_bootstrap.json")
	return m
}

// sidecar starts all of it with some manifests, and returns where the workload is reached and where
// Envoy's admin interface is.
func (m *mesh) sidecar(t *testing.T, w *world, manifests ...string) (gate, admin string, log *envoy.Log) {
	t.Helper()
	dir := t.TempDir()
	inbound, xds, adminPort := envoytest.FreePort(t), envoytest.FreePort(t), envoytest.FreePort(t)
	upstream, err := strconv.Atoi(port(t, w.upstream.Address()))
	require.NoError(t, err)
	files := []string{"127.0.0.1:" + strconv.Itoa(xds)}
	for i, text := range append(manifests, toYAML(t,
		object("networking.istio.io/v1", "Sidecar", "orders", map[string]any{"spec": map[string]any{
			"workloadSelector": map[string]any{"labels": map[string]any{"app": "orders"}},
			"ingress": []any{map[string]any{"port": map[string]any{"number": inbound, "protocol": "HTTP", "name": "http"},
				"bind": "127.0.0.1", "captureMode": "NONE", "defaultEndpoint": "127.0.0.1:" + strconv.Itoa(upstream)}},
			// Nothing else of the mesh: its outbound listeners have filters that only Istio's own
			// build of Envoy has.
			"egress": []any{map[string]any{"hosts": []any{"./idp.example"}}},
		}}),
		object("security.istio.io/v1", "PeerAuthentication", "default", map[string]any{"spec": map[string]any{"mtls": map[string]any{"mode": "DISABLE"}}}),
	)) {
		file := filepath.Join(dir, fmt.Sprintf("%d.yaml", i))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		files = append(files, file)
	}
	control := exec.Command(m.control, files...)
	control.Env = append(os.Environ(), "PILOT_ENABLE_METADATA_EXCHANGE=false") // it is for Istio's own build of Envoy
	stdin, err := control.StdinPipe()
	require.NoError(t, err)
	controlLog := startProgram(t, control)
	t.Cleanup(func() { _ = stdin.Close() })
	logged(t, controlLog, "serving on")

	require.NoError(t, os.MkdirAll(filepath.Join(dir, "etc", "istio", "proxy"), 0o755))
	config, err := json.Marshal(map[string]any{
		"discoveryAddress": files[0], "controlPlaneAuthPolicy": "NONE", "binaryPath": m.o.Binary.Path,
		"configPath": filepath.Join(dir, "etc", "istio", "proxy"), "proxyBootstrapTemplatePath": m.template,
		"proxyAdminPort": adminPort, "statusPort": envoytest.FreePort(t), "concurrency": 2, "terminationDrainDuration": "1s",
		"extraStatTags": strings.Split(readmesLabels(t), ","),
	})
	require.NoError(t, err)
	agent := exec.Command(m.agent, "proxy", "sidecar", "--domain", "shop.svc.cluster.local", "--serviceCluster", "orders.shop", "--ctrlz_port", "0")
	agent.Dir = dir
	agent.Env = append(os.Environ(), "PROXY_CONFIG="+string(config), "POD_NAME=orders", "POD_NAMESPACE=shop", "INSTANCE_IP=127.0.0.1",
		"ISTIO_META_INTERCEPTION_MODE=NONE", `ISTIO_METAJSON_LABELS={"app":"orders"}`, "ISTIO_META_CLUSTER_ID=Kubernetes", "FILE_MOUNTED_CERTS=true",
		"ENVOY_PROMETHEUS_PORT="+strconv.Itoa(envoytest.FreePort(t)), "ENVOY_STATUS_PORT="+strconv.Itoa(envoytest.FreePort(t)),
		"GATEHOUSE_ADMIN_TOKEN="+adminToken)
	log = startProgram(t, agent)
	t.Cleanup(func() {
		if !t.Failed() {
			assert.NotContains(t, controlLog.String(), "ACK ERROR", "Envoy took what Istio made")
		}
	})
	return "http://127.0.0.1:" + strconv.Itoa(inbound), "http://127.0.0.1:" + strconv.Itoa(adminPort), log
}

// readmesLabels are the labels that the README tells a workload's proxies of.
func readmesLabels(t *testing.T) string {
	t.Helper()
	_, after, ok := strings.Cut(inDeploy(t, "istio/README.md"), "sidecar.istio.io/extraStatTags: ")
	require.True(t, ok)
	labels, _, _ := strings.Cut(after, "\n")
	return labels
}

func TestIstioRunsItsManifests(t *testing.T) {
	m := newMesh(t)
	t.Run("verify.yaml and admin.yaml", m.verifies)
	t.Run("request-authentication.yaml", m.behindRequestAuthentication)
}

func (m *mesh) verifies(t *testing.T) {
	w := newWorld(t)
	admin := strconv.Itoa(envoytest.FreePort(t))
	// The manifests, but for what this machine hasn't: a registry, DNS, the provider's own
	// authority. The agent keeps images below /var/lib, where a test has no business, so it gets a
	// file.
	gate, stats, log := m.sidecar(t, w,
		edit(t, inDeploy(t, "istio/verify.yaml"),
			"oci://registry.example/gatehouse:VERSION", "file://"+m.o.Wasm,
			"resolution: DNS\n", "resolution: STATIC\n  endpoints: [{address: 127.0.0.1, ports: {tls: "+port(t, w.idp)+"}}]\n",
			"caCertificates: system", "caCertificates: "+w.ca),
		edit(t, inDeploy(t, "istio/admin.yaml"),
			`code: {remote: {http_uri: {uri: "oci://registry.example/gatehouse:VERSION", cluster: _, timeout: 30s}}}`,
			"code: {local: {filename: "+m.o.Wasm+"}}",
			"port_value: 9902", "port_value: "+admin))
	ready(t, gate)
	w.fourAnswers(t, gate)
	logged(t, log, `"event_type":"rate_limited"`, `"user_id":"alice"`)
	labelled(t, stats+"/stats/prometheus")

	// The admin API has the gate's limits.
	for token, want := range map[string]int{"": 401, adminToken: 200} {
		status, _, body, err := ask(t, http.MethodGet, "http://127.0.0.1:"+admin+"/rate-limits/per-caller/user_id=main/alice", token)
		require.NoError(t, err)
		assert.Equal(t, want, status, body)
		if token != "" {
			assert.Contains(t, body, `"remaining":0`)
		}
	}
}

func (m *mesh) behindRequestAuthentication(t *testing.T) {
	w := newWorld(t)
	var keys bytes.Buffer
	require.NoError(t, json.Compact(&keys, w.issuer.JWKS()))
	// Istio's control plane fetches the keys in a cluster. Here they are in the manifest.
	gate, _, log := m.sidecar(t, w, edit(t, inDeploy(t, "istio/request-authentication.yaml"),
		"oci://registry.example/gatehouse:VERSION", "file://"+m.o.Wasm,
		"jwksUri: https://idp.example/jwks.json", "jwks: '"+keys.String()+"'"))
	ready(t, gate)
	w.fourAnswers(t, gate)
	logged(t, log, `"event_type":"rate_limited"`, `"user_id":"alice"`)
	logged(t, log, `"event_type":"auth_failure"`, `"origin":"jwt_authn"`)
}
