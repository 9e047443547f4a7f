package metrics

import (
	"gatehouse/core/audit"
	"gatehouse/core/caller"
	"gatehouse/core/reason"
)

// The values of the labels that don't come from the configuration, in the order of their metrics'
// indexes.
var (
	cacheResults = []string{"miss", "hit"}
	fetchResults = []string{"failure", "success", "partial"}
	limitResults = []string{"admitted", "limited", "shadow_limited", "contention", "error"}
)

// decisionWords are the values of the label decision of gatehouse_requests_total, by reason:
// "admitted" for None, and the reason's word for a refusal. In observe mode, where nothing is
// refused, the word has the prefix would_be_.
func decisionWords(observe bool) []string {
	words := make([]string, reason.Count)
	words[reason.None] = "admitted"
	for r := reason.None + 1; r < reason.Count; r++ {
		words[r] = r.String()
		if observe {
			words[r] = "would_be_" + words[r]
		}
	}
	return words
}

// setTokenReasons gives each reason of a bad token its place among the values of the label reason
// of gatehouse_tokens_failed_total, and returns those values.
func (t *Table) setTokenReasons() (words []string) {
	for r := reason.None; r < reason.Count; r++ {
		if r.OfToken() {
			t.tokenReasons[r] = len(words)
			words = append(words, r.String())
		}
	}
	return words
}

// callerWords are the values of the label caller, by caller.Kind.
func callerWords() (words []string) {
	for _, k := range caller.Kinds() {
		words = append(words, k.String())
	}
	return words
}

// eventWords are the values of the label event_type, by audit.Type.
func eventWords() (words []string) {
	for t := audit.Type(0); t.String() != ""; t++ {
		words = append(words, t.String())
	}
	return words
}
