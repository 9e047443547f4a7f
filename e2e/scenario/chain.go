package scenario

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// chainOf finds the chain at the end of an audit line.
var chainOf = regexp.MustCompile(`,"chain":(\{"key_id":"[^"]+","stream":"[^"]+","seq":\d+,"prev":"[0-9a-f]{64}","mac":"[0-9a-f]{64}"\})\}$`)

// withoutChain returns an audit line as it would be without audit.chain.
func withoutChain(line string) string { return chainOf.ReplaceAllString(line, "}") }

// checkChain verifies the chain of all audit lines in their order, by the definition in
// docs/audit.md.
func (s *Scenario) checkChain(o *Observation) (problems []string) {
	var key []byte
	text, chained := s.chainKey()
	if chained {
		var err error
		if key, err = base64.StdEncoding.DecodeString(text); err != nil {
			return []string{"audit.chain.hmac_key: " + err.Error()}
		}
	}
	prev, next := map[string]string{}, map[string]uint64{}
	for _, exchanges := range o.Exchanges {
		for i := range exchanges {
			for _, line := range exchanges[i].Audit {
				problem := checkLink(line, chained, key, prev, next)
				if problem != "" {
					problems = append(problems, "chain: "+problem+" in "+line)
				}
			}
		}
	}
	return problems
}

func checkLink(line string, chained bool, key []byte, prev map[string]string, next map[string]uint64) string {
	found := chainOf.FindStringSubmatchIndex(line)
	switch {
	case !chained && found == nil:
		return ""
	case !chained:
		return "want none"
	case found == nil:
		return "none"
	}
	var link struct {
		Stream    string
		Seq       uint64
		Prev, MAC string
	}
	if err := json.Unmarshal([]byte(line[found[2]:found[3]]), &link); err != nil {
		return err.Error()
	}
	want, ok := prev[link.Stream]
	if !ok {
		want = strings.Repeat("0", 2*sha256.Size)
	}
	raw, err := hex.DecodeString(link.Prev)
	if err != nil {
		return err.Error()
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(raw)
	mac.Write([]byte(line[:found[0]+1]))
	switch sum := hex.EncodeToString(mac.Sum(nil)); {
	case link.Seq != next[link.Stream]:
		return fmt.Sprintf("want seq %d", next[link.Stream])
	case link.Prev != want:
		return "want prev " + want
	case link.MAC != sum:
		return "want mac " + sum
	}
	prev[link.Stream], next[link.Stream] = link.MAC, link.Seq+1
	return ""
}

// chainKey returns the key of the scenario's audit.chain.
func (s *Scenario) chainKey() (key string, ok bool) {
	doc, err := s.PluginConfig([]byte(`{"keys":[]}`))
	if err != nil {
		return "", false
	}
	var config struct {
		Audit struct {
			Chain *struct {
				Key any `json:"hmac_key"`
			}
		}
	}
	if err := json.Unmarshal(doc, &config); err != nil || config.Audit.Chain == nil {
		return "", false
	}
	switch key := config.Audit.Chain.Key.(type) {
	case string:
		return key, true
	case map[string]any:
		name, _ := key["env"].(string)
		return s.Env[name], true
	}
	return "", true
}
