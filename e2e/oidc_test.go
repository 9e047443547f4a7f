package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

// openID is a real OpenID provider in a process of its own: e2e/oidc/provider.
type openID struct {
	issuer  string
	host    string
	jwksURI string
	auth    string // endpoints
	token   string

	commands io.Writer
	answers  *bufio.Scanner
}

func startOpenID(t *testing.T) *openID {
	t.Helper()
	envoy.ForTest(t) // or skip
	root, err := envoy.RepoRoot()
	require.NoError(t, err)
	program := filepath.Join(t.TempDir(), "provider")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", filepath.Join(root, "e2e", "oidc", "provider"), "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		if os.Getenv("CI") != "true" && strings.Contains(string(out), "dial tcp") {
			t.Skip("the modules of github.com/zitadel/oidc can't be fetched: connect to a Go module proxy once")
		}
		require.NoError(t, err, "%s", out)
	}
	process := exec.Command(program)
	process.Stderr = os.Stderr
	commands, err := process.StdinPipe()
	require.NoError(t, err)
	answers, err := process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, process.Start())
	t.Cleanup(func() { // it ends with its input
		assert.NoError(t, commands.Close())
		assert.NoError(t, process.Wait())
	})
	o := &openID{commands: commands, answers: bufio.NewScanner(answers)}
	require.True(t, o.answers.Scan())
	o.issuer = o.answers.Text()

	// The other endpoints come from OpenID Connect Discovery.
	response, err := http.Get(o.issuer + ".well-known/openid-configuration") //nolint:noctx // on this machine
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	var metadata struct {
		Issuer        string `json:"issuer"`
		JWKSURI       string `json:"jwks_uri"`
		Authorization string `json:"authorization_endpoint"`
		Token         string `json:"token_endpoint"`
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&metadata))
	require.Equal(t, o.issuer, metadata.Issuer)
	o.jwksURI, o.auth, o.token = metadata.JWKSURI, metadata.Authorization, metadata.Token
	address, err := url.Parse(o.issuer)
	require.NoError(t, err)
	o.host = address.Host
	return o
}

// rotate replaces the signing key and says whether the old ones stay published.
func (o *openID) rotate(t *testing.T, keep bool) {
	t.Helper()
	how := "drop"
	if keep {
		how = "keep"
	}
	_, err := fmt.Fprintln(o.commands, "rotate", how)
	require.NoError(t, err)
	require.True(t, o.answers.Scan())
	require.Equal(t, "done", o.answers.Text())
}

// request gets tokens from the token endpoint.
func (o *openID) request(id, secret string, form url.Values) (accessToken string, err error) {
	request, err := http.NewRequest(http.MethodPost, o.token, strings.NewReader(form.Encode())) //nolint:noctx // on this machine
	if err != nil {
		return "", err
	}
	request.SetBasicAuth(id, secret)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &tokens); err != nil || tokens.AccessToken == "" {
		return "", fmt.Errorf("token endpoint: %s: %s", response.Status, body)
	}
	return tokens.AccessToken, nil
}

// machine is a client credentials grant (RFC 6749, section 4.4).
func (o *openID) machine() (string, error) {
	return o.request("sid1", "verysecret", url.Values{"grant_type": {"client_credentials"}, "scope": {"jobs/write"}})
}

// human logs in with a password and comes back with a code (RFC 6749, section 4.1).
func (o *openID) human(t *testing.T) string {
	t.Helper()
	c := client()
	step := func(response *http.Response, err error) *url.URL {
		t.Helper()
		require.NoError(t, err)
		defer func() { _ = response.Body.Close() }()
		require.Equal(t, http.StatusFound, response.StatusCode)
		location, err := response.Location()
		require.NoError(t, err)
		return location
	}
	login := step(c.Get(o.auth + "?" + url.Values{
		"client_id": {"web"}, "redirect_uri": {"http://127.0.0.1/callback"}, "response_type": {"code"}, "scope": {"openid profile"}, "state": {"s"},
	}.Encode()))
	callback := step(c.PostForm(login.String(), url.Values{
		"id": {login.Query().Get("authRequestID")}, "username": {"test-user2"}, "password": {"verysecure"},
	}))
	back := step(c.Get(callback.String()))
	require.NotEmpty(t, back.Query().Get("code"), back)
	token, err := o.request("web", "secret", url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {"http://127.0.0.1/callback"},
	})
	require.NoError(t, err)
	return token
}

// TestARealOpenIDProvider uses zitadel/oidc: tokens of people and of services at both gates, and
// keys that change while they are in use.
func TestARealOpenIDProvider(t *testing.T) {
	t.Parallel()
	o, upstream := startOpenID(t), startUpstream(t)
	const routes = `"routes": [{"path": "/account/**", "caller": "human"}, {"path": "/batch/**", "caller": "machine", "scopes_all": ["jobs/write"]}],
		"rate_limits": null`
	p := envoy.StartForTest(t, options(t, envoy.Endpoint("idp", o.host), envoy.Endpoint("upstream", upstream.Address()),
		envoy.MergePluginConfig("gate", fmt.Sprintf(`{"tokens": {"providers": [{"name": "zitadel", "issuer": %q, "audiences": ["web", "sid1"],
			"algorithms": ["RS256"], "jwks": {"cluster": "idp", "uri": %q, "min_refetch_seconds": 1%s}}]}, %s}`, o.issuer, o.jwksURI, patient, routes)),
		envoy.MergePluginConfig("gate_envoy_jwt", fmt.Sprintf(`{"tokens": {"providers": [{"name": "zitadel", "issuer": %q, "audiences": ["web", "sid1"],
			"claims_from": {"envoy_metadata": {"filter": "envoy.filters.http.jwt_authn", "key": "payload"}, "failed_status_key": "fail"}}]}, %s}`,
			o.issuer, routes)),
		func(b envoy.Bootstrap) error {
			filter, err := b.HTTPFilter("gate_envoy_jwt", "JwtAuthentication")
			if err == nil {
				provider := filter["providers"].(map[string]any)["main"].(map[string]any)
				provider["issuer"], provider["audiences"] = o.issuer, []any{"web", "sid1"}
				provider["remote_jwks"].(map[string]any)["http_uri"].(map[string]any)["uri"] = o.jwksURI
			}
			return err
		}))

	human := o.human(t)
	machine, err := o.machine()
	require.NoError(t, err)
	c := client()
	for _, gate := range []string{"gate", "gate_envoy_jwt"} {
		for _, test := range []struct {
			path, token string
			status      int
			body        string
		}{
			{"/account/me", human, http.StatusOK, `"X-Gatehouse-Caller":["human"]`},
			{"/batch/run", machine, http.StatusOK, `"X-Gatehouse-Caller":["machine"]`},
			{"/batch/run", human, http.StatusForbidden, "This endpoint is for service accounts only"},
			{"/account/me", machine, http.StatusForbidden, "This endpoint requires human user authentication"},
			{"/account/me", "", http.StatusUnauthorized, "Authentication required"},
		} {
			a := get(c, p.Address(gate), test.path, test.token)
			require.NoError(t, a.err)
			assert.Equal(t, test.status, a.status, "%s %s", gate, test.path)
			assert.Contains(t, a.body, test.body, "%s %s", gate, test.path)
		}
	}
	t.Run("rotation during traffic", func(t *testing.T) { rotationDuringTraffic(t, o, p.Address("gate"), human) })
}

// rotationDuringTraffic lets services fetch and use new tokens all the time, and attackers forged
// ones, while keys change.
func rotationDuringTraffic(t *testing.T, o *openID, address, human string) {
	var traffic sync.WaitGroup
	var served, refused, dropped atomic.Int64
	done := make(chan struct{})
	during := func(each func(c *http.Client) error) {
		traffic.Go(func() {
			c := client()
			defer c.CloseIdleConnections()
			for {
				select {
				case <-done:
					return
				case <-time.After(5 * time.Millisecond):
				}
				if err := each(c); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 3 {
		during(func(c *http.Client) error {
			before := dropped.Load()
			token, err := o.machine()
			if err != nil {
				return err
			}
			a := get(c, address, "/batch/run", token)
			// Forged tokens ask for keys too, and all share one fetch in min_refetch_seconds, so a
			// new key may be that late.
			for late := time.Now().Add(10 * time.Second); a.status == http.StatusUnauthorized && dropped.Load() == before && time.Now().Before(late); {
				time.Sleep(50 * time.Millisecond)
				a = get(c, address, "/batch/run", token)
			}
			if dropped.Load() != before {
				return nil // its key may have been dropped on the way
			}
			if a.err != nil || a.status != http.StatusOK {
				return fmt.Errorf("a new token, signed by a key that is published: %d %w %s", a.status, a.err, token)
			}
			served.Add(1)
			return nil
		})
	}
	during(func(c *http.Client) error {
		a := get(c, address, "/account/me", human[:len(human)-8]+"AAAAAAAA")
		if a.err != nil || a.status != http.StatusUnauthorized {
			return fmt.Errorf("a forged token: %d %w", a.status, a.err)
		}
		refused.Add(1)
		return nil
	})

	c := client()
	for _, keep := range []bool{true, true, false} {
		// Among so many tokens is a new one, of a key that the gate has fetched. The next key may
		// be fetched min_refetch_seconds later.
		before := served.Load()
		require.Eventually(t, func() bool { return served.Load() > before+10 || t.Failed() }, patience, 10*time.Millisecond)
		time.Sleep(1500 * time.Millisecond)
		require.Equal(t, http.StatusOK, get(c, address, "/account/me", human).status, "its key is still published")
		if !keep {
			dropped.Add(1)
		}
		o.rotate(t, keep)
		if !keep {
			dropped.Add(1)
		}
	}
	require.Eventually(t, func() bool {
		a := get(c, address, "/account/me", human)
		return a.status == http.StatusUnauthorized
	}, patience, 20*time.Millisecond, "its key is gone")
	close(done)
	traffic.Wait()
	assert.Positive(t, refused.Load())
}
