package auditlogs_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"gatehouse/cmd/testbed/envoy"
)

func deployFile(t *testing.T, name string) string {
	t.Helper()
	root, err := envoy.RepoRoot()
	require.NoError(t, err)
	return filepath.Join(root, "deploy", "audit", name)
}

func event(kind, more, metadata string) string {
	return `{"timestamp":"2026-03-01T12:30:45.123456Z","event_type":"` + kind + `",` + more + `,"metadata":{"event_id":"e-1","reason":null,"route":"orders",` +
		`"rule":null,"caller":"human","issuer":"https://idp.example","m2m_evidence":"email","duration_ms":3,"request_id":"r-1"` + metadata + `},` +
		`"chain":{"key_id":"k","stream":"s","seq":0,"prev":"00","mac":"00"}}`
}

const (
	alice  = `"user_id":"alice","client_id":"web","is_m2m":false,"path":"/orders/7","method":"DELETE","status_code":200,"ip_address":"192.0.2.1","user_agent":"curl/8"`
	nobody = `"user_id":null,"client_id":null,"is_m2m":false,"path":null,"method":null,"status_code":null,"ip_address":null,"user_agent":null`
	robot  = `"user_id":"nightly","client_id":"nightly","is_m2m":true,"path":"/batch","method":"POST","status_code":403,"ip_address":"2001:db8::1","user_agent":null`
)

// required are the attributes that OCSF 1.3 requires of a class, beside those of the base event.
var required = map[float64][]string{
	3002: {"user", "service"},
	6003: {"actor", "api", "src_endpoint"},
}

var requiredOfAll = []string{"activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"}

func TestEventsMapToOCSF(t *testing.T) {
	jq, err := exec.LookPath("jq")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("jq is missing")
		}
		t.Skip("jq is missing")
	}
	for _, c := range []struct {
		event                     string
		class, activity, severity float64
		status, operation         string
	}{
		{event("auth_success", alice, `,"tenant":"a"`), 6003, 4, 1, "Success", "DELETE"},
		{event("auth_failure", alice, ``), 3002, 1, 2, "Failure", ""},
		{event("auth_failure", nobody, ``), 3002, 1, 2, "Failure", ""},
		{event("access_denied", robot, ``), 6003, 1, 2, "Failure", "POST"},
		{event("rate_limited", alice, ``), 6003, 4, 2, "Failure", "DELETE"},
		{event("request", nobody, ``), 6003, 99, 1, "Success", "request"},
		{event("request_error", nobody, `,"origin":"rbac"`), 6003, 99, 2, "Failure", "request_error"},
		{event("admin_action", alice, ``), 6003, 4, 1, "Other", "DELETE"},
		{event("refund", alice, `,"amount":7`), 6003, 4, 1, "Other", "DELETE"},
		{event("audit_gap", nobody, `,"dropped":3,"from_seq":1,"to_seq":3`), 6003, 99, 4, "Other", "audit_gap"},
	} {
		command := exec.Command(jq, "-c", "-f", deployFile(t, "ocsf.jq"))
		command.Stdin = strings.NewReader(c.event)
		var errOut bytes.Buffer
		command.Stderr = &errOut
		out, err := command.Output()
		require.NoError(t, err, "%s", errOut.String())
		var got map[string]any
		require.NoError(t, json.Unmarshal(out, &got), "one object: %s", out)
		assert.Equal(t, c.class, got["class_uid"], c.event)
		assert.Equal(t, c.activity, got["activity_id"], c.event)
		assert.Equal(t, c.class*100+c.activity, got["type_uid"])
		assert.Equal(t, c.severity, got["severity_id"], c.event)
		assert.Equal(t, c.status, got["status"], c.event)
		assert.Equal(t, 1772368245123.0, got["time"])
		for _, name := range append(requiredOfAll, required[c.class]...) {
			assert.Contains(t, got, name, c.event)
		}
		metadata, ok := got["metadata"].(map[string]any)
		require.True(t, ok)
		assert.Equal(t, "1.3.0", metadata["version"])
		assert.Contains(t, metadata, "product")
		if c.operation != "" {
			assert.Equal(t, c.operation, got["api"].(map[string]any)["operation"])
		}
		assert.NotContains(t, string(out), "null", "what isn't known is left out")
		assert.Contains(t, got["unmapped"], "chain")
		assert.Contains(t, got["unmapped"], "route")
	}
}

// TestTheShippersReadWhatEnvoyWrites checks what can be checked without the programs themselves,
// which no package registry carries: that the files are YAML, read the file that envoy-file.yaml
// writes, and tell events from empty lines.
func TestTheShippersReadWhatEnvoyWrites(t *testing.T) {
	load := func(name string) map[string]any {
		text, err := os.ReadFile(deployFile(t, name))
		require.NoError(t, err)
		var doc map[string]any
		require.NoError(t, yaml.Unmarshal(text, &doc))
		return doc
	}
	written, err := os.ReadFile(deployFile(t, "envoy-file.yaml"))
	require.NoError(t, err)
	const path = "/var/log/envoy/audit.log"
	require.Contains(t, string(written), "path: "+path)

	sources := load("vector.yaml")["sources"].(map[string]any)
	assert.Equal(t, []any{path}, sources["gatehouse_audit"].(map[string]any)["include"])
	pipeline := load("fluent-bit.yaml")["pipeline"].(map[string]any)
	assert.Equal(t, path, pipeline["inputs"].([]any)[0].(map[string]any)["path"])
	rule, _ := pipeline["filters"].([]any)[0].(map[string]any)["regex"].(string)
	field, pattern, _ := strings.Cut(rule, " ")
	assert.Equal(t, "log", field)
	re, err := regexp.Compile(pattern)
	require.NoError(t, err)
	assert.True(t, re.MatchString(event("request", nobody, "")))
	assert.False(t, re.MatchString(""))
	assert.Equal(t, []string{"compactor", "limits_config"}, slices.Sorted(maps.Keys(load("loki.yaml"))))
}
