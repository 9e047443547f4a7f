package scenario

import (
	"encoding/json"
	"slices"
	"strings"
)

// Secrets finds what must never be written: tokens, parts of them, cookies and keys.
type Secrets struct {
	windows map[string]string // what stands for a secret, by its bytes
}

// Lengths of the parts by which a secret is recognised. Twelve characters of a signature are 72
// random bits. The other parts of a token hold text, of which a few characters may stand elsewhere
// too.
const (
	signatureWindow = 12
	textWindow      = 24
	shortest        = 8
)

// Secrets returns what must not be written in a scenario.
func (s *Scenario) Secrets(m *Minted) *Secrets {
	f := &Secrets{windows: map[string]string{}}
	for name, token := range m.Tokens {
		parts := strings.Split(token, ".")
		for i, part := range parts {
			if len(parts) == 3 && i == 2 {
				f.add("the signature of token "+name, part, signatureWindow)
			} else {
				f.add("token "+name, part, textWindow)
			}
		}
	}
	for i := range s.Steps {
		for _, field := range s.Steps[i].Request.Fields(m) {
			switch strings.ToLower(field.Name) {
			case "cookie":
				for pair := range strings.SplitSeq(field.Value, ";") {
					_, value, _ := strings.Cut(pair, "=")
					f.add("a cookie", strings.TrimSpace(value), textWindow)
				}
			case "authorization":
				_, value, _ := strings.Cut(field.Value, " ")
				f.add("an authorization header", value, textWindow)
			}
		}
	}
	for name, value := range s.Env {
		f.add("the environment variable "+name, value, signatureWindow)
	}
	for name, token := range s.Tokens {
		if token.Key != "stranger" {
			f.add("the key of token "+name, token.Key, signatureWindow)
		}
	}
	if doc, err := s.PluginConfig([]byte(`{"keys":[]}`)); err == nil {
		var config any
		if json.Unmarshal(doc, &config) == nil {
			f.addConfig(config)
		}
	}
	return f
}

// secretMembers are the members of the configuration that hold secrets.
var secretMembers = []string{"k", "hmac_key", "d", "p", "q"}

func (f *Secrets) addConfig(v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			text, isText := value.(string)
			if isText && (slices.Contains(secretMembers, name) || name == "token") {
				f.add("the configuration's "+name, text, signatureWindow)
			}
			f.addConfig(value)
		}
	case []any:
		for _, value := range v {
			f.addConfig(value)
		}
	}
}

// add looks for every part of a secret that has the given length.
func (f *Secrets) add(what, secret string, window int) {
	window = min(window, len(secret))
	if window < shortest {
		return
	}
	for i := 0; i+window <= len(secret); i++ {
		f.windows[secret[i:i+window]] = what
	}
}

// Find says which secrets a text has. where is the place that the text comes from.
func (f *Secrets) Find(where, text string) (found []string) {
	seen := map[string]bool{}
	for _, window := range []int{signatureWindow, textWindow} {
		for i := 0; i+window <= len(text); i++ {
			seen[f.windows[text[i:i+window]]] = true
		}
	}
	for secret, what := range f.windows {
		if len(secret) != signatureWindow && len(secret) != textWindow && strings.Contains(text, secret) {
			seen[what] = true
		}
	}
	for what := range seen {
		if what != "" {
			found = append(found, where+" has "+what+": "+text)
		}
	}
	slices.Sort(found)
	return found
}

// FindExchange looks where a request leaves something for others than its upstream: in the audit
// events and in the response, unless the upstream has written it.
func (f *Secrets) FindExchange(e *Exchange) (found []string) {
	for _, line := range e.Audit {
		found = append(found, f.Find("an audit event", line)...)
	}
	if e.Upstream == nil {
		found = append(found, f.Find("the response", e.Body)...)
		for name, values := range e.Header {
			for _, value := range values {
				found = append(found, f.Find("the response's "+name, value)...)
			}
		}
	}
	return append(found, f.Find("the response code details", e.Details)...)
}
