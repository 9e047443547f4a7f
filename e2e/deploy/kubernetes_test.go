package deploy_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/e2e/envoytest"
)

// resource is a Kubernetes object, as far as these tests look at it.
type resource struct {
	Kind string            `yaml:"kind"`
	Data map[string]string `yaml:"data"`
	Spec struct {
		Template struct {
			Spec struct {
				Containers []struct {
					Lifecycle struct {
						PreStop struct {
							Exec struct {
								Command []string `yaml:"command"`
							} `yaml:"exec"`
						} `yaml:"preStop"`
					} `yaml:"lifecycle"`
				} `yaml:"containers"`
			} `yaml:"spec"`
		} `yaml:"template"`
	} `yaml:"spec"`
}

// inDeploy reads a file of deploy/.
func inDeploy(t *testing.T, name string) string {
	t.Helper()
	root, err := envoy.RepoRoot()
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(root, "deploy", filepath.FromSlash(name)))
	require.NoError(t, err)
	return string(text)
}

func TestThePlainConfigurationRuns(t *testing.T) {
	o := envoy.OptionsForTest(t)
	w := newWorld(t)
	var preStop []string
	decoder := yaml.NewDecoder(strings.NewReader(inDeploy(t, "kubernetes/gatehouse.yaml")))
	o.Config = filepath.Join(t.TempDir(), "envoy.yaml")
	for {
		var r resource
		err := decoder.Decode(&r)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if r.Kind == "ConfigMap" {
			require.NoError(t, os.WriteFile(o.Config, []byte(r.Data["envoy.yaml"]), 0o600))
		}
		if r.Kind == "Deployment" {
			preStop = r.Spec.Template.Spec.Containers[0].Lifecycle.PreStop.Exec.Command
		}
	}
	admin := strconv.Itoa(envoytest.FreePort(t))
	o.Edits = []envoy.Edit{
		envoy.Endpoint("upstream", w.upstream.Address()),
		envoy.Endpoint("idp", w.idp),
		envoy.Endpoint("envoy_admin", "127.0.0.1:"+admin),
		func(b envoy.Bootstrap) error {
			replace(map[string]any(b), "/etc/ssl/certs/ca-certificates.crt", w.ca)
			return nil
		},
		func(b envoy.Bootstrap) error { return setPorts(t, b, admin) },
	}
	o.KeepPorts, o.Concurrency = true, 2
	o.Env = []string{"GATEHOUSE_ADMIN_TOKEN=" + adminToken}
	p := envoy.StartForTest(t, o)
	gate, metrics := p.URL("gate", ""), p.URL("metrics", "")
	metrics = strings.Replace(metrics, "0.0.0.0", "127.0.0.1", 1)
	gate = strings.Replace(gate, "0.0.0.0", "127.0.0.1", 1)
	w.fourAnswers(t, gate)
	logged(t, p.Stdout, `"event_type":"rate_limited"`, `"user_id":"alice"`)

	// What others see of Envoy's admin interface is what they may.
	for path, want := range map[string]int{"/ready": 200, "/stats/prometheus": 200, "/config_dump": 404, "/quitquitquit": 404, "/stats/prometheus/../../config_dump": 404} {
		status, _, _, err := ask(t, http.MethodGet, metrics+path, "")
		require.NoError(t, err)
		assert.Equal(t, want, status, path)
	}
	labelled(t, metrics+"/stats/prometheus")
	// The admin API shares its VM and its configuration with the gate.
	for token, want := range map[string]int{"": 401, adminToken: 200} {
		status, _, body, err := ask(t, http.MethodGet, p.URL("gatehouse_admin", "/rate-limits/per-caller/user_id=main/alice"), token)
		require.NoError(t, err)
		assert.Equal(t, want, status, body)
	}

	// A pod that ends tells its clients to close.
	require.Len(t, preStop, 3)
	require.Contains(t, preStop[2], "/127.0.0.1/9901\n")
	script := strings.Replace(preStop[2], "/127.0.0.1/9901\n", "/127.0.0.1/"+admin+"\n", 1)
	script = strings.Replace(script, "sleep 25", "cat <&3", 1)
	out, err := exec.CommandContext(t.Context(), preStop[0], preStop[1], script).CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), "200 OK")
}

// replace changes texts anywhere in a tree.
func replace(node any, old, by string) {
	switch v := node.(type) {
	case map[string]any:
		for name, child := range v {
			if child == old {
				v[name] = by
			}
			replace(child, old, by)
		}
	case []any:
		for _, child := range v {
			replace(child, old, by)
		}
	}
}

// setPorts gives the admin interface its port, and each listener a free one.
func setPorts(t *testing.T, b envoy.Bootstrap, admin string) error {
	t.Helper()
	set := func(node any, port int) {
		address, _ := node.(map[string]any)["address"].(map[string]any)["socket_address"].(map[string]any)
		address["port_value"] = port
	}
	n, err := strconv.Atoi(admin)
	if err != nil {
		return err
	}
	set(b["admin"], n)
	for _, listener := range b["static_resources"].(map[string]any)["listeners"].([]any) {
		set(listener, envoytest.FreePort(t))
	}
	return nil
}
