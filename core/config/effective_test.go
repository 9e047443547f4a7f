package config_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/config"
)

const adminToken = "0123456789abcdefghijklmnopqrstuv"

// admin adds the admin API's token to a configuration.
func admin(doc string) string {
	return strings.TrimSuffix(doc, "}") + `,"admin":{"token":"` + adminToken + `"}}`
}

func TestTheEffectiveConfigurationHasDefaultsAndNoSecrets(t *testing.T) {
	c := parse(t, admin(`{"metrics":{"naming":"istio"},"rate_limits":[{"name":"l","max_requests":5.0,"window_seconds":6e1}],
		"tokens":{"providers":[{"name":"main","issuer":"i","audiences":["a"],"algorithms":["HS256"],"jwks":{"inline":{"extra":["s3cret"],"keys":[
			{"kty":"oct","x-note":"s3cret","kid":"1","k":"`+k32+`"}]}}}],"cache_entries":7},
		"routes":[{"path":"/**","claims":{"b":["2"],"a":["1"]}}]}`))
	var got struct {
		Mode   string
		Tokens struct {
			Providers []struct {
				Audiences    []string
				AnyAudience  *bool    `json:"any_audience"`
				GroupsClaims []string `json:"groups_claims"`
				JWKS         json.RawMessage
			}
			CacheEntries int `json:"cache_entries"`
		}
		Routes     []map[string]any
		RateLimits []map[string]any `json:"rate_limits"`
		Audit      map[string]any
	}
	require.NoError(t, json.Unmarshal(c.Admin.Effective, &got))
	assert.Equal(t, "enforce", got.Mode)
	provider := got.Tokens.Providers[0]
	assert.Equal(t, []string{"a"}, provider.Audiences)
	assert.False(t, *provider.AnyAudience)
	assert.Equal(t, []string{"groups", "cognito:groups", "roles", "realm_access.roles"}, provider.GroupsClaims)
	assert.Equal(t, `{"inline":{"keys":[{"kty":"oct","k":"***","kid":"1","x-note":"***"}],"extra":"***"}}`, string(provider.JWKS),
		"without what belongs to a remote set")
	assert.Equal(t, 7, got.Tokens.CacheEntries)
	assert.Equal(t, "required", got.Routes[0]["auth"])
	assert.InDelta(t, 5, got.RateLimits[0]["max_requests"], 0)
	assert.Equal(t, []any{"user_id|ip"}, got.RateLimits[0]["identifier"])
	assert.Equal(t, "info", got.Audit["log"])
	assert.NotContains(t, string(c.Admin.Effective), `"admin"`)
	assert.Contains(t, string(c.Admin.Effective), `"claims":{"a":["1"],"b":["2"]}`, "names of the user's are in order")
	assert.Contains(t, string(c.Admin.Effective), `"window_seconds":60,`)
	for _, secret := range []string{"s3cret", k32, adminToken} {
		assert.NotContains(t, string(c.Admin.Effective), secret)
		assert.NotContains(t, fmt.Sprintf("%v %+v %#v", c.Admin.Token, c.Admin.Token, c.Admin.Token), secret)
	}
}

// TestTheEffectiveConfigurationIsAConfiguration holds for everything that isn't a secret: the text
// reads back as itself.
func TestTheEffectiveConfigurationIsAConfiguration(t *testing.T) {
	doc := strings.Replace(everything, `{"kty": "oct", "kid": "1", "k": "`+k32+`"}`, `{"kty": "oct", "kid": "1", "k": {"env": "HMAC"}}`, 1)
	env := func(string) (string, bool) { return k32, true }
	c, err := config.Parse([]byte(doc), env)
	require.NoError(t, err)
	assert.NotContains(t, string(c.Admin.Effective), k32)
	again := strings.ReplaceAll(string(c.Admin.Effective), `"***"`, `{"env":"HMAC"}`)
	again = strings.ReplaceAll(again, `"more":{"env":"HMAC"}`, `"more":1`)
	d, err := config.Parse([]byte(strings.TrimSuffix(again, "}")+`,"admin":{"token":{"env":"HMAC"}}}`), env)
	require.NoError(t, err)
	assert.Equal(t, string(c.Admin.Effective), string(d.Admin.Effective))
	assert.Equal(t, c.Hash, d.Hash)
}

func TestTheHashIsOfTheEffectiveConfiguration(t *testing.T) {
	c := parse(t, admin(`{`+closed+`}`))
	sum := sha256.Sum256(c.Admin.Effective)
	assert.Equal(t, hex.EncodeToString(sum[:6]), fmt.Sprintf("%012x", c.Hash))
	assert.Equal(t, c.Hash, parse(t, `{`+closed+`}`).Hash, "a gate has the hash of its admin API")
	assert.Equal(t, c.Hash, parse(t, `{`+closed+`,"mode":"enforce","rate_limits":[]}`).Hash, "a default that is spelt out")
	assert.NotEqual(t, c.Hash, parse(t, `{`+closed+`,"mode":"observe"}`).Hash)
	assert.Nil(t, parse(t, `{`+closed+`}`).Admin)
}

// TestTheHashDependsOnNoOrderOfMembers shuffles the members of every object.
func TestTheHashDependsOnNoOrderOfMembers(t *testing.T) {
	env := func(string) (string, bool) { return k32, true }
	c, err := config.Parse([]byte(everything), env)
	require.NoError(t, err)
	var doc any
	require.NoError(t, json.Unmarshal([]byte(everything), &doc))
	for seed := range uint64(20) {
		shuffled := shuffle(rand.New(rand.NewPCG(seed, 1)), doc)
		d, err := config.Parse([]byte(shuffled), env)
		require.NoError(t, err)
		assert.Equal(t, string(c.Admin.Effective), string(d.Admin.Effective))
	}
}

// shuffle writes a JSON value with the members of its objects in random order.
func shuffle(rnd *rand.Rand, v any) string {
	var parts []string
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			quoted, _ := json.Marshal(name)
			parts = append(parts, string(quoted)+":"+shuffle(rnd, v[name]))
		}
		rnd.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		return "{" + strings.Join(parts, ",") + "}"
	case []any:
		for _, e := range v {
			parts = append(parts, shuffle(rnd, e))
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	text, _ := json.Marshal(v)
	return string(text)
}
