package metrics

// TokensValidated counts tokens found good, those from the cache included.
func (t *Table) TokensValidated() int { return validated }

// TokensFailed counts bad tokens by reason, which must be from FirstTokenReason to LastTokenReason.
func (t *Table) TokensFailed(reason Decision) int {
	return t.failed + int(reason-FirstTokenReason)
}

// Requests counts decisions. The route is its index, or -1 for a request that no route matched.
func (t *Table) Requests(route int, d Decision) int {
	place := 0 // RouteNone, or RouteAll where it is the only one
	if route >= 0 {
		place = t.routes[route]
	}
	return t.requests + place*NumDecisions + int(d)
}

// Callers counts requests by who sent them.
func (t *Table) Callers(c Caller) int { return t.callers + int(c) }

// CacheHit counts tokens found in the cache.
func (t *Table) CacheHit() int { return t.cache + 1 }

// CacheMiss counts tokens not found in the cache.
func (t *Table) CacheMiss() int { return t.cache }

// LimitAdmitted counts requests that a rate limit let pass.
func (t *Table) LimitAdmitted(rule int) int { return t.limits + rule*len(limitDecisions) }

// LimitRefused counts requests that a rate limit refused: the decision limited.
func (t *Table) LimitRefused(rule int) int { return t.LimitAdmitted(rule) + 1 }

// LimitShadow counts requests that a rate limit would have refused were it no shadow: the decision shadow_limited.
func (t *Table) LimitShadow(rule int) int { return t.LimitAdmitted(rule) + 2 }

// LimitContention counts requests for which a rate limit's state couldn't be updated.
func (t *Table) LimitContention(rule int) int { return t.LimitAdmitted(rule) + 3 }

// Evictions counts identifiers that a rate limit forgot to stay within its memory.
func (t *Table) Evictions(rule int) int { return t.evicted + rule }

// FetchSuccess counts JWK Sets fetched.
func (t *Table) FetchSuccess(provider int) int { return t.FetchFailure(provider) + 1 }

// FetchPartial counts JWK Sets fetched that are used, but have keys that can't be.
func (t *Table) FetchPartial(provider int) int { return t.FetchFailure(provider) + 2 }

// FetchFailure counts fetches that brought no readable JWK Set.
func (t *Table) FetchFailure(provider int) int { return t.fetches + provider*len(fetchResults) }

// KeysAge is the age of a provider's JWK Set, in seconds.
func (t *Table) KeysAge(provider int) int { return t.age + provider }

// AuditEvents counts audit events written.
func (t *Table) AuditEvents(e Event) int { return t.events + int(e) }

// AuditDropped counts audit events that were lost.
func (t *Table) AuditDropped() int { return t.dropped }

// AuditQueue is the number of audit events that wait to be delivered.
func (t *Table) AuditQueue() int { return t.queue }

// ValidationDuration is the histogram of the time that judging a token took, in microseconds.
func (t *Table) ValidationDuration() int { return t.duration }
