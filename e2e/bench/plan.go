package main

import (
	"fmt"
	"net/http"
	"time"

	"gatehouse/cmd/testbed/toy"
)

const (
	issuerName = "https://idp.example"
	audience   = "orders"
)

// The names that the report refers to.
const (
	bare            = "bare Envoy"
	bareLog         = "bare Envoy with a JSON access log"
	noop            = "Go filter that does nothing"
	nativeCached    = "jwt_authn with its cache + local_ratelimit"
	nativeDefault   = "jwt_authn + local_ratelimit"
	nativeCachedLog = nativeCached + " + JSON access log"
	nativeLog       = nativeDefault + " + JSON access log"
	nothing         = "Gatehouse, asked for nothing"
	tokenOnly       = "Gatehouse, a token alone"
	limitOnly       = "Gatehouse, a limit alone"
	auditOnly       = "Gatehouse, audit alone"
	identityOnly    = "Gatehouse, token and identity headers"
	allOn           = "Gatehouse, all on"
	allOnChain      = "Gatehouse, all on, with the audit chain"
	manyNative      = nativeLog + ", 2,000 callers"
	manyCached      = nativeCachedLog + ", 2,000 callers"
	manyAllOn       = "Gatehouse, all on, 2,000 callers"

	firstSeenNative = "a first-seen token: jwt_authn"
	firstSeen       = "a first-seen token: Gatehouse"
	refusedNative   = "a request without a token: jwt_authn"
	refused         = "a request without a token: Gatehouse"
	limited         = "a request over its limit: Gatehouse"
)

// ample is a limit that one caller doesn't reach; the callers of the other runs have perCaller.
const (
	ample     = 100_000_000
	perCaller = 500
	callers   = 2000
	// startTokens is how many tokens a gate has in its cache when its memory is measured.
	startTokens = 10_000
)

// plan is what is measured: the subjects of the table, and the ones of the curves.
type plan struct {
	issuer    *toy.Issuer
	keys      string
	one       [][]byte // a request of one caller
	many      [][]byte // one of each of 2,000 callers
	anonymous [][]byte
}

// newPlan makes the callers' tokens.
func newPlan(say func(string, ...any)) (*plan, error) {
	issuer, err := toy.StartIssuer("", issuerName)
	if err != nil {
		return nil, err
	}
	defer issuer.Stop()
	say("signing %d tokens", callers)
	p := &plan{issuer: issuer, keys: string(issuer.JWKS()), anonymous: [][]byte{get("/", "")}}
	if p.many, err = mint(issuer, 0, callers); err != nil {
		return nil, err
	}
	p.one = p.many[:1]
	return p, nil
}

// mint signs the tokens of callers first to first+n-1 and returns a request of each.
func mint(issuer *toy.Issuer, first, n int) ([][]byte, error) {
	out := make([][]byte, n)
	for i := range out {
		claims := issuer.Human(fmt.Sprintf("user-%07d", first+i), audience, 24*time.Hour)
		token, err := issuer.Sign(claims)
		if err != nil {
			return nil, err
		}
		out[i] = get("/orders/17", token)
	}
	return out, nil
}

// envoySubject is one of Envoy's own filters.
func envoySubject(name string, requests [][]byte, jsonLog bool, filters ...object) *subject {
	return &subject{Name: name, requests: requests, want: http.StatusOK, prepare: func(s *subject) object {
		if jsonLog {
			return bootstrap(filters, jsonAccessLog(s.log))
		}
		return bootstrap(filters, nil)
	}}
}

// gateSubject is Gatehouse with some options. Its audit events, if any, go to an access log.
func (l *lab) gateSubject(name string, requests [][]byte, options ...func(object)) *subject {
	return &subject{Name: name, requests: requests, want: http.StatusOK, prepare: func(s *subject) object {
		config := gate(options...)
		if enabled, set := config["audit"].(object)["enabled"]; set && enabled == false {
			return bootstrap([]object{wasm(l.wasm, config)}, nil)
		}
		return bootstrap([]object{wasm(l.wasm, config)}, auditLog(s.log))
	}}
}

// table is the subjects of the main table.
func (l *lab) table(p *plan) []*subject {
	token, limit := withTokens(p.keys), withLimit(ample)
	full := []func(object){token, limit, withAudit, withIdentity}
	return []*subject{
		envoySubject(bare, p.one, false),
		envoySubject(bareLog, p.one, true),
		l.noopSubject(p.one),
		envoySubject(nativeCached, p.one, false, jwtAuthn(p.keys, 1000), localRateLimit()),
		envoySubject(nativeDefault, p.one, false, jwtAuthn(p.keys, 0), localRateLimit()),
		envoySubject(nativeCachedLog, p.one, true, jwtAuthn(p.keys, 1000), localRateLimit()),
		envoySubject(nativeLog, p.one, true, jwtAuthn(p.keys, 0), localRateLimit()),
		envoySubject(manyCached, p.many, true, jwtAuthn(p.keys, 10000), localRateLimit()),
		envoySubject(manyNative, p.many, true, jwtAuthn(p.keys, 0), localRateLimit()),
		l.gateSubject(nothing, p.one),
		l.gateSubject(tokenOnly, p.one, token),
		l.gateSubject(limitOnly, p.anonymous, limit),
		l.gateSubject(auditOnly, p.anonymous, withAudit),
		l.gateSubject(identityOnly, p.one, token, withIdentity),
		l.gateSubject(allOn, p.one, full...),
		l.gateSubject(allOnChain, p.one, append(full, withChain)...),
		l.allOn(manyAllOn, p),
	}
}

// moments is what happens less often than an admitted request with a cached token.
func (l *lab) moments(p *plan) []*subject {
	token := withTokens(p.keys)
	native := func() object { return jwtAuthn(p.keys, 0) }
	refuse := func(s *subject, status int) *subject { s.want = status; return s }
	return []*subject{
		envoySubject(bare, p.one, false),
		envoySubject(firstSeenNative, p.many, false, native()),
		l.gateSubject(firstSeen, p.many, token, withCache(16)),
		refuse(envoySubject(refusedNative, p.anonymous, false, native()), http.StatusUnauthorized),
		refuse(l.gateSubject(refused, p.anonymous, token), http.StatusUnauthorized),
		refuse(l.gateSubject(limited, p.one, token, withWindow(1, 86_400)), http.StatusTooManyRequests),
	}
}

// curves are families of subjects that differ in one number. The first of each is what the others
// are compared with.
func (l *lab) curves(p *plan) [][]*subject {
	token := withTokens(p.keys)
	var routes, windows, rules, identifiers, workers []*subject
	for _, n := range []int{1, 10, 100, 1000} {
		routes = append(routes, l.gateSubject(fmt.Sprintf("%d routes", n), p.one, token, withRoutes(n)))
	}
	for _, n := range []int{1, 4, 16} {
		rules = append(rules, l.gateSubject(fmt.Sprintf("%d limits", n), p.one, token, withLimits(n)))
	}
	// The windows are full: every caller has as many charges in its window as the limit allows, or
	// as the state holds.
	for _, max := range []int{10, 10_000} {
		s := l.gateSubject(fmt.Sprintf("a limit of %d", max), p.many[:callers], token, withWindow(max, 1))
		s.warm = 3 * callers
		if max > 512 {
			s = l.gateSubject(s.Name, p.many[:50], token, withWindow(max, 3600))
			s.warm = 50 * 600
		}
		windows = append(windows, s)
	}
	for _, n := range l.identifiers {
		s := l.gateSubject(fmt.Sprintf("%d identifiers", n), numbered(n), withHeaderLimit)
		s.warm = n
		identifiers = append(identifiers, s)
	}
	for _, n := range []int{1, 2} {
		s := l.allOn(fmt.Sprintf("%d workers", n), p)
		s.workers = n
		workers = append(workers, s)
	}
	return [][]*subject{routes, rules, windows, identifiers, workers}
}

// allOn has all on, for 2,000 callers.
func (l *lab) allOn(name string, p *plan) *subject {
	return l.gateSubject(name, p.many, withTokens(p.keys), withLimit(perCaller*1000), withAudit, withIdentity)
}

// numbered is a request for each of n identifiers.
func numbered(n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = fmt.Appendf(nil, "GET / HTTP/1.1\r\nhost: api.example\r\nx-id: %08d\r\n\r\n", i)
	}
	return out
}

// starts is what is started again and again: bare Envoy, the module that does nothing, and
// Gatehouse with all on, which then gets a request of each of 10,000 callers, so that its memory
// has their tokens and windows in it.
func (l *lab) starts(p *plan) ([]*subject, error) {
	l.say("signing %d tokens", startTokens)
	requests, err := mint(p.issuer, 0, startTokens)
	if err != nil {
		return nil, err
	}
	return []*subject{
		envoySubject(bare, p.one, false),
		l.noopSubject(p.one),
		l.gateSubject(allOn, requests, withTokens(p.keys), withCache(startTokens), withLimit(ample), withAudit, withIdentity),
	}, nil
}

// noopSubject is the module that does nothing.
func (l *lab) noopSubject(requests [][]byte) *subject {
	return &subject{Name: noop, requests: requests, want: http.StatusOK, prepare: func(*subject) object {
		return bootstrap([]object{wasm(l.noop, nil)}, nil)
	}}
}
