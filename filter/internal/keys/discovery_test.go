package keys

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/config"
	"gatehouse/filter/internal/proxy"
	"gatehouse/filter/internal/proxy/proxytest"
)

const (
	openIDConfiguration = "https://idp.example/.well-known/openid-configuration"
	aKey                = `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`
)

func discovered() *config.Remote {
	return &config.Remote{
		Cluster: "idp", URI: openIDConfiguration, Authority: "idp.example", Path: "/.well-known/openid-configuration", Discovery: true,
		RefreshSeconds: 600, TimeoutSeconds: 5, MaxStaleSeconds: 3600, MinRefetchSeconds: 10,
	}
}

func TestAnOpenIDConfigurationNamesTheSet(t *testing.T) {
	const ours = "https://idp.example"
	for _, test := range []struct{ name, issuer, document, path, err string }{
		{"as it should be", ours, `{"issuer":"https://idp.example","jwks_uri":"https://idp.example/keys?v=1","x":[1]}`, "/keys?v=1", ""},
		{"another issuer", ours, `{"issuer":"https://idp.example/","jwks_uri":"https://idp.example/keys"}`, "", `its issuer is "https://idp.example/", and the provider's "https://idp.example"`},
		{"no issuer", ours, `{"jwks_uri":"https://idp.example/keys"}`, "", `its issuer is ""`},
		{"another authority", ours, `{"issuer":"https://idp.example","jwks_uri":"https://www.googleapis.example/oauth2/v3/certs"}`, "",
			`its jwks_uri "https://www.googleapis.example/oauth2/v3/certs" isn't at https://idp.example: name it as jwks.uri, with a cluster that leads there`},
		{"another scheme", ours, `{"issuer":"https://idp.example","jwks_uri":"http://idp.example/keys"}`, "", "isn't at https://idp.example"},
		{"an authority that begins the same", ours, `{"issuer":"https://idp.example","jwks_uri":"https://idp.example.evil/keys"}`, "", "isn't at https://idp.example"},
		{"a user part", ours, `{"issuer":"https://idp.example","jwks_uri":"https://idp.example@evil/keys"}`, "", "isn't at https://idp.example"},
		{"no path", ours, `{"issuer":"https://idp.example","jwks_uri":"https://idp.example"}`, "", "isn't at https://idp.example"},
		{"no jwks_uri", ours, `{"issuer":"https://idp.example"}`, "", "jwks_uri is missing"},
		{"a jwks_uri of another type", ours, `{"issuer":"https://idp.example","jwks_uri":["https://idp.example/keys"]}`, "", "jwks_uri is missing"},
		{"a line break", ours, `{"issuer":"https://idp.example","jwks_uri":"https://idp.example/keys\r\nx: y"}`, "", "is no URI"},
		{"a fragment", ours, `{"issuer":"https://idp.example","jwks_uri":"https://idp.example/keys#x"}`, "", "is no URI"},
		{"too long a path", ours, `{"issuer":"https://idp.example","jwks_uri":"https://idp.example/` + strings.Repeat("x", 2048) + `"}`, "", "is no URI"},
		{"no object", ours, `[]`, "", "not a JSON object"},
		{"a member twice", ours, `{"issuer":"https://idp.example","issuer":"x","jwks_uri":"https://idp.example/keys"}`, "", "not a JSON object"},
		{"a placeholder by another name", "https://login.example/{tid}/v2.0", `{"issuer":"https://login.example/{tenantid}/v2.0","jwks_uri":"https://idp.example/keys"}`, "/keys", ""},
		{"a placeholder elsewhere", "https://login.example/{tid}/v2.0", `{"issuer":"https://login.example/{tenantid}/v1.0","jwks_uri":"https://idp.example/keys"}`, "", "its issuer is"},
		{"one tenant for all", "https://login.example/{tid}/v2.0", `{"issuer":"https://login.example/t1/v2.0","jwks_uri":"https://idp.example/keys"}`, "", "its issuer is"},
		{"a placeholder that isn't ours", ours, `{"issuer":"{x}","jwks_uri":"https://idp.example/keys"}`, "", "its issuer is"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path, err := discover(discovered(), test.issuer, []byte(test.document))
			assert.Equal(t, test.path, path)
			if test.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.err)
			}
		})
	}
}

// owner counts outcomes.
type owner map[Outcome]int

func (o owner) Fetched(_ int, how Outcome) { o[how]++ }
func (o owner) Aged(int, int64)            {}

// asked are the paths of what is under way.
func asked(px *proxytest.Proxy) (paths []string) {
	for _, c := range px.Pending {
		paths = append(paths, c.Headers[1][1])
	}
	return paths
}

func end(px *proxytest.Proxy, status, body string) {
	px.Pending[0].End(&proxytest.Answer{Headers: []proxytest.Header{{Name: ":status", Value: status}}, Body: []byte(body)})
}

func TestTheDocumentIsFetchedWithTheSetAndNeverByAToken(t *testing.T) {
	const document, keySet = "/.well-known/openid-configuration", "/keys"
	good := `{"issuer":"https://idp.example","jwks_uri":"https://idp.example/keys"}`
	px, outcomes := proxytest.New(), owner{}
	cfg := &config.Config{}
	cfg.Tokens.Providers = []config.Provider{{Remote: discovered()}}
	cfg.Tokens.Providers[0].Issuer, cfg.Tokens.Providers[0].Name = "https://idp.example", "main"
	k, err := New(px, "gate", cfg, outcomes)
	require.NoError(t, err)
	tick := func(seconds int64) {
		px.Mono = px.Mono.Add(seconds * second)
		k.Tick(px.Mono, false)
	}

	tick(0)
	require.Equal(t, []string{document}, asked(px))
	end(px, "200", good)
	require.Equal(t, []string{keySet}, asked(px), "then the set")
	assert.Nil(t, k.Keys(0))
	end(px, "200", aKey)
	require.NotNil(t, k.Keys(0))
	assert.Equal(t, owner{Success: 1}, outcomes)

	tick(11)
	require.True(t, k.RequestFetch(0, 0, px.Mono), "a token with an unknown key")
	tick(0)
	require.Equal(t, []string{keySet}, asked(px), "a token asks for the set alone")
	end(px, "500", "")
	tick(2)
	require.Equal(t, []string{document}, asked(px), "after a failed fetch the document is fetched anew: the set may have moved")
	end(px, "200", strings.Replace(good, "/keys", "/moved", 1))
	require.Equal(t, []string{"/moved"}, asked(px))
	end(px, "200", aKey)

	tick(600)
	require.Equal(t, []string{document}, asked(px), "both are fetched every refresh_seconds")
	px.Mono = px.Mono.Add(4 * second)
	end(px, "200", good)
	require.Equal(t, uint32(1000), px.Pending[0].TimeoutMilliseconds, "they share timeout_seconds")
	end(px, "200", aKey)

	tick(600)
	end(px, "200", strings.Replace(good, "https://idp.example/keys", "https://elsewhere.example/keys", 1))
	assert.Empty(t, px.Pending)
	assert.Equal(t, owner{Success: 3, Failure: 2}, outcomes)
	assert.NotNil(t, k.Keys(0), "the old set serves")
	last := px.Logs[len(px.Logs)-1]
	assert.Equal(t, proxy.Error, last.Level)
	assert.Contains(t, last.Text, `plugin gate: provider main: `+openIDConfiguration+`: its jwks_uri "https://elsewhere.example/keys" isn't at https://idp.example`)

	tick(2)
	require.Equal(t, []string{document}, asked(px))
	end(px, "200", strings.Repeat(" ", maxDocument)+good)
	assert.Contains(t, px.Logs[len(px.Logs)-1].Text, "more than 65536 bytes")
}
