package e2e_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"gatehouse/cmd/testbed/envoy"
)

var updateIDP = flag.Bool("update-idp", false, "write the scenarios of docs/idp into testdata/scenarios/idp.yaml")

// idpPage is a page of docs/idp: how to configure one identity provider, and what its tokens get.
type idpPage struct {
	name    string
	title   string
	config  map[string]any
	cluster map[string]any
	samples []idpSample
}

// idpSample is a token and what it gets.
type idpSample struct {
	Token  string         `yaml:"token"`
	Claims map[string]any `yaml:"claims"`
	Gets   struct {
		Status   int    `yaml:"status"`
		Reason   string `yaml:"reason"`
		Caller   string `yaml:"caller"`
		Evidence string `yaml:"evidence"`
		UserID   string `yaml:"user_id"`
		ClientID string `yaml:"client_id"`
		Scopes   string `yaml:"scopes"`
		Groups   string `yaml:"groups"`
	} `yaml:"gets"`
}

var idpBlock = regexp.MustCompile("(?ms)^```(json|yaml)\n(.*?)^```$")

func idpPages(t *testing.T) (pages []idpPage) {
	t.Helper()
	paths, err := filepath.Glob("../docs/idp/*.md")
	require.NoError(t, err)
	for _, path := range paths {
		if filepath.Base(path) == "README.md" {
			continue
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		page := idpPage{name: strings.TrimSuffix(filepath.Base(path), ".md")}
		page.title, _, _ = strings.Cut(strings.TrimPrefix(string(text), "# "), "\n")
		blocks := idpBlock.FindAllStringSubmatch(string(text), -1)
		require.Len(t, blocks, 3, "%s: a provider, a cluster and samples", path)
		require.NoError(t, json.Unmarshal([]byte(blocks[0][2]), &page.config), path)
		var clusters []map[string]any
		require.NoError(t, yaml.Unmarshal([]byte(blocks[1][2]), &clusters), path)
		require.Len(t, clusters, 1, path)
		page.cluster = clusters[0]
		var samples struct {
			Samples []idpSample `yaml:"samples"`
		}
		decoder := yaml.NewDecoder(strings.NewReader(blocks[2][2]))
		decoder.KnownFields(true)
		require.NoError(t, decoder.Decode(&samples), path)
		page.samples = samples.Samples
		pages = append(pages, page)
	}
	require.GreaterOrEqual(t, len(pages), 10)
	return pages
}

// provider returns the page's only provider.
func (p *idpPage) provider() map[string]any {
	return p.config["tokens"].(map[string]any)["providers"].([]any)[0].(map[string]any)
}

// The samples of the pages run as scenarios in all runners; the file that holds them is made from
// the pages: `go test ./e2e -run IdentityProviderPages -update-idp`.
func TestScenariosOfIdentityProviderPagesAreUpToDate(t *testing.T) {
	var scenarios []map[string]any
	for _, page := range idpPages(t) {
		scenarios = append(scenarios, page.scenario())
	}
	var out bytes.Buffer
	out.WriteString("# The sample tokens of docs/idp, made from its pages by `go test ./e2e -run IdentityProviderPages -update-idp`.\n")
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	require.NoError(t, encoder.Encode(map[string]any{"scenarios": scenarios}))
	path := filepath.Join(directory, "idp.yaml")
	if *updateIDP {
		require.NoError(t, os.WriteFile(path, out.Bytes(), 0o600))
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, out.String(), string(text), "docs/idp has changed: run this test with -update-idp")
}

// scenario is the page's configuration with keys of the toy issuer, and a request with each sample
// token.
func (p *idpPage) scenario() map[string]any {
	provider := p.provider()
	provider["jwks"] = map[string]any{"inline": "$jwks"}
	tokens, callers, metrics := map[string]any{}, map[string]any{}, map[string]uint64{}
	var steps []any
	issuer := provider["issuer"]
	for _, s := range p.samples {
		claims := map[string]any{"aud": nil}
		for name, value := range s.Claims {
			claims[name] = value
		}
		name := p.name + ", " + s.Token
		tokens[name] = map[string]any{"claims": claims}
		request := map[string]any{"path": "/x"}
		if header := p.tokenHeader(); header != "" {
			request["headers"] = []any{header + ": {token:" + name + "}"}
		} else {
			request["token"] = name
		}
		expect := map[string]any{"status": s.Gets.Status, "route": "/**"}
		metrics[`gatehouse_token_cache_total{result="miss"}`]++
		if s.Gets.Reason == "" {
			expect["who"], expect["event"] = name, "auth_success"
			callers[name] = s.caller(issuer)
			metrics[`gatehouse_audit_events_total{event_type="auth_success"}`]++
			metrics[fmt.Sprintf(`gatehouse_callers_total{caller=%q}`, s.Gets.Caller)]++
			metrics[`gatehouse_requests_total{decision="admitted",route="___"}`]++
			metrics["gatehouse_tokens_validated_total"]++
		} else {
			expect["reason"], expect["detail"], expect["event"] = s.Gets.Reason, "Invalid token", "auth_failure"
			metrics[`gatehouse_audit_events_total{event_type="auth_failure"}`]++
			metrics[fmt.Sprintf(`gatehouse_requests_total{decision=%q,route="___"}`, s.Gets.Reason)]++
			metrics[fmt.Sprintf(`gatehouse_tokens_failed_total{provider=%q,reason=%q}`, provider["name"], s.Gets.Reason)]++
		}
		steps = append(steps, map[string]any{"request": request, "expect": expect})
	}
	return map[string]any{
		"name": "tokens of " + p.title, "config": p.config, "tokens": tokens, "callers": callers, "steps": steps, "metrics": metrics,
	}
}

func (p *idpPage) tokenHeader() string {
	from, ok := p.config["tokens"].(map[string]any)["token_from"].([]any)
	if !ok {
		return ""
	}
	return from[0].(map[string]any)["header"].(string)
}

func (s *idpSample) caller(issuer any) map[string]any {
	c := map[string]any{"caller": s.Gets.Caller, "issuer": issuer}
	for name, value := range map[string]string{"user_id": s.Gets.UserID, "client_id": s.Gets.ClientID, "evidence": s.Gets.Evidence} {
		if value != "" {
			c[name] = value
		}
	}
	headers := map[string]any{}
	for name, value := range map[string]string{"scopes": s.Gets.Scopes, "groups": s.Gets.Groups} {
		if value != "" {
			headers[name] = value
		}
	}
	if len(headers) > 0 {
		c["headers"] = headers
	}
	return c
}

// authority is a certificate authority that Envoy can read.
func authority(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// Every page's cluster is one that Envoy takes, under the name that the provider's block says, and
// it checks the certificate of the host that the block's address names.
func TestClustersOfIdentityProviderPagesAreTakenByEnvoy(t *testing.T) {
	binary := envoy.ForTest(t)
	var clusters []any
	for _, page := range idpPages(t) {
		jwks := page.provider()["jwks"].(map[string]any)
		require.Equal(t, jwks["cluster"], page.cluster["name"], page.name)
		text, err := json.Marshal(page.cluster)
		require.NoError(t, err)
		host, _, _ := strings.Cut(strings.TrimPrefix(jwks["uri"].(string), "https://"), "/")
		assert.Equal(t, 3, strings.Count(string(text), `"`+host+`"`), "%s: address, SNI and certificate are %s", page.name, host)
		page.cluster["name"] = page.name
		// The authorities' file isn't at the same place everywhere.
		tls := page.cluster["transport_socket"].(map[string]any)["typed_config"].(map[string]any)["common_tls_context"].(map[string]any)
		tls["validation_context"].(map[string]any)["trusted_ca"] = map[string]any{"inline_string": authority(t)}
		clusters = append(clusters, page.cluster)
	}
	bootstrap, err := json.Marshal(map[string]any{"static_resources": map[string]any{"clusters": clusters}})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "envoy.json")
	require.NoError(t, os.WriteFile(file, bootstrap, 0o600))
	if binary.Path == "" {
		t.Skip("Envoy runs in Docker here; this test starts it as a program")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary.Path, "--mode", "validate", "-c", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
}
