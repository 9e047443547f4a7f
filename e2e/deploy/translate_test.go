package deploy_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"gatehouse/cmd/testbed/child"
	"gatehouse/cmd/testbed/envoy"
)

// translator builds a control plane, which takes minutes the first time: only `make deploy-test`
// asks for it.
func translator(t *testing.T, module, program string) string {
	t.Helper()
	if os.Getenv("GATEHOUSE_DEPLOY") == "" {
		t.Skip("make deploy-test runs this: it builds " + program)
	}
	root, err := envoy.RepoRoot()
	require.NoError(t, err)
	binary := filepath.Join(t.TempDir(), filepath.Base(filepath.Join("/", module, program)))
	build := exec.CommandContext(t.Context(), "go", "build", "-C", filepath.Join(root, "deploy", "translate", module), "-o", binary, program)
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return binary
}

// startProgram starts a control plane or its agent, and ends it with the test.
func startProgram(t *testing.T, command *exec.Cmd) *envoy.Log {
	t.Helper()
	log := envoy.NewLog()
	command.Stdout, command.Stderr = log, log
	ended := make(chan struct{})
	require.NoError(t, child.Start(command, syscall.SIGTERM, func() { close(ended) }))
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		<-ended
		if t.Failed() {
			lines := log.Lines()
			t.Logf("the end of the log of %s:\n%s", filepath.Base(command.Path), strings.Join(lines[max(0, len(lines)-80):], "\n"))
		}
	})
	return log
}

// serveFile serves a file by HTTP, and returns its URL.
func serveFile(t *testing.T, path string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) }))
	t.Cleanup(server.Close)
	return server.URL + "/" + filepath.Base(path)
}

// edit changes a manifest's text in places that must be there, given as old and new in turn.
func edit(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		require.Contains(t, text, pairs[i])
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

// toYAML writes objects as documents.
func toYAML(t *testing.T, objects ...any) string {
	t.Helper()
	var b bytes.Buffer
	for _, object := range objects {
		b.WriteString("---\n")
		require.NoError(t, yaml.NewEncoder(&b).Encode(object))
	}
	return b.String()
}

// object is a Kubernetes object of the namespace of all manifests.
func object(apiVersion, kind, name string, more map[string]any) map[string]any {
	out := map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"name": name, "namespace": "shop"}}
	for name, value := range more {
		out[name] = value
	}
	return out
}

// backend is an Envoy Gateway Backend for "host:port" on this machine.
func backend(name, port string) map[string]any {
	var n int
	_, _ = fmt.Sscan(port, &n)
	return object("gateway.envoyproxy.io/v1alpha1", "Backend", name, map[string]any{"spec": map[string]any{
		"endpoints": []any{map[string]any{"ip": map[string]any{"address": "127.0.0.1", "port": n}}},
	}})
}
