package scenario

import (
	"encoding/json"
	"fmt"
	"maps"
)

// IssuerName is the issuer's name in tokens and configurations.
const IssuerName = "https://idp.example"

// PluginConfig returns the plugin configuration as JSON, with the issuer's JWK Set where the file
// says "$jwks".
func (s *Scenario) PluginConfig(jwks []byte) ([]byte, error) {
	merged := merge(s.common.Configs[s.base()], s.Config)
	var set any
	if err := json.Unmarshal(jwks, &set); err != nil {
		return nil, fmt.Errorf("the issuer's JWK Set: %w", err)
	}
	return json.Marshal(replaced(merged, set))
}

// merge is MergePatch of RFC 7396, section 2.
func merge(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	result := map[string]any{}
	if old, ok := target.(map[string]any); ok {
		maps.Copy(result, old)
	}
	for name, value := range changes {
		if value == nil {
			delete(result, name)
		} else {
			result[name] = merge(result[name], value)
		}
	}
	return result
}

// replaced puts the JWK Set in.
func replaced(v, jwks any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, value := range v {
			out[name] = replaced(value, jwks)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			out[i] = replaced(value, jwks)
		}
		return out
	case string:
		if v == "$jwks" {
			return jwks
		}
	}
	return v
}

// Limits are the names of the scenario's rate limits.
func (s *Scenario) Limits() (names []string) {
	config, _ := merge(s.common.Configs[s.base()], s.Config).(map[string]any)
	limits, _ := config["rate_limits"].([]any)
	for _, l := range limits {
		l, _ := l.(map[string]any)
		name, _ := l["name"].(string)
		names = append(names, name)
	}
	return names
}
