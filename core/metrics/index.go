package metrics

import (
	"gatehouse/core/audit"
	"gatehouse/core/caller"
	"gatehouse/core/reason"
)

// TokensValidated counts valid tokens, cache hits included.
func (t *Table) TokensValidated() int { return t.first[tokensValidated] }

// TokensFailed counts bad tokens by reason, which must be a token's (reason.OfToken), and by
// provider: its index, or -1 if none was chosen.
func (t *Table) TokensFailed(r reason.Reason, provider int) int {
	return t.first[tokensFailed] + t.tokenReasons[r]*len(t.values[ofTokenProvider]) + provider + 1
}

// Requests counts decisions by the reason of the refusal, None for an admitted request. The route
// is its index, or -1 for a request that no route matched.
func (t *Table) Requests(route int, r reason.Reason) int {
	place := 0 // RouteNone, or RouteAll where it is the only one
	if route >= 0 {
		place = t.routes[route]
	}
	return t.first[requests] + place*reason.Count + int(r)
}

// MetadataRequests counts requests that Gatehouse answered with the metadata of a protected
// resource.
func (t *Table) MetadataRequests() int {
	return t.first[requests] + t.metadata*reason.Count + int(reason.None)
}

// Callers counts requests by kind of caller.
func (t *Table) Callers(k caller.Kind) int { return t.first[callers] + int(k) }

// CacheHit counts tokens that the cache held.
func (t *Table) CacheHit() int { return t.first[tokenCache] + 1 }

// CacheMiss counts tokens that the cache didn't hold.
func (t *Table) CacheMiss() int { return t.first[tokenCache] }

// LimitAdmitted counts requests that a rate limit admitted.
func (t *Table) LimitAdmitted(rule int) int { return t.first[limitDecisions] + rule*len(limitResults) }

// LimitRefused counts requests that a rate limit refused. The label's value is limited.
func (t *Table) LimitRefused(rule int) int { return t.LimitAdmitted(rule) + 1 }

// LimitShadow counts requests that a limit in shadow mode would have refused. The label's value is
// shadow_limited.
func (t *Table) LimitShadow(rule int) int { return t.LimitAdmitted(rule) + 2 }

// LimitContention counts requests for which a rate limit lost every compare-and-set.
func (t *Table) LimitContention(rule int) int { return t.LimitAdmitted(rule) + 3 }

// LimitError counts requests for which the store of a rate limit failed. The label's value is
// error.
func (t *Table) LimitError(rule int) int { return t.LimitAdmitted(rule) + 4 }

// Evictions counts identifiers that a rate limit evicted to stay within its memory.
func (t *Table) Evictions(rule int) int { return t.first[evictions] + rule }

// FetchSuccess counts fetches of JWK Sets of which every key can be used.
func (t *Table) FetchSuccess(provider int) int { return t.FetchFailure(provider) + 1 }

// FetchPartial counts fetches of JWK Sets that are used although some of their keys can't be.
func (t *Table) FetchPartial(provider int) int { return t.FetchFailure(provider) + 2 }

// FetchFailure counts fetches that returned no usable JWK Set.
func (t *Table) FetchFailure(provider int) int { return t.first[fetches] + provider*len(fetchResults) }

// KeysAge is the age of a provider's JWK Set in seconds.
func (t *Table) KeysAge(provider int) int { return t.first[keysAge] + provider }

// AuditEvents counts audit events by type.
func (t *Table) AuditEvents(e audit.Type) int { return t.first[auditEvents] + int(e) }

// AuditDropped counts audit events that were lost.
func (t *Table) AuditDropped() int { return t.first[auditDropped] }

// AuditQueue is the number of audit events that wait for delivery.
func (t *Table) AuditQueue() int { return t.first[auditQueue] }

// BuildInfo is 1. Its label says which version runs.
func (t *Table) BuildInfo() int { return t.first[buildInfo] }

// ConfigHash is 48 bits of the SHA-256 of the effective configuration.
func (t *Table) ConfigHash() int { return t.first[configHash] }

// Tokens is how many metrics count tokens. They have the numbers from 0 on.
func (t *Table) Tokens() int { return t.first[requests] }

// ValidationDuration is the histogram of validation times, in microseconds.
func (t *Table) ValidationDuration() int { return t.first[validationDuration] }
