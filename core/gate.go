package core

import (
	"strings"

	"gatehouse/core/caller"
	"gatehouse/core/config"
	"gatehouse/core/jwks"
	"gatehouse/core/jwt"
	"gatehouse/core/metrics"
	"gatehouse/core/policy"
	"gatehouse/core/ratelimit"
)

// RemoteKeys are the JWK Sets that somebody fetches. Methods are called with the index of a provider whose
// configuration is remote.
type RemoteKeys interface {
	// Keys is the current JWK Set, nil while there is none.
	Keys(provider int) *jwks.Set
	// Want is told that a request needs the set (there is none) or a key that it lacks. It reports whether a fetch that may
	// bring it is starting or under way, so that waiting for it makes sense.
	Want(provider int, mono int64) bool
}

// Host is what a Gate needs of the place where it runs.
type Host struct {
	Store      ratelimit.Store // shared by all workers
	Remote     RemoteKeys      // may be nil if no provider is remote
	Verify     jwt.HostVerify  // may be nil: Go's own crypto alone
	Mono       func() int64    // the monotonic clock, nanoseconds
	HashKey    [16]byte        // secret, the same for all workers
	InstanceID uint64          // random, one for each Gate: makes event ids unique
}

// Gate is one configuration at work in one worker. It is not safe for concurrent use, as a VM has one thread.
type Gate struct {
	cfg      *config.Config
	host     Host
	table    *policy.Table
	verifier *jwt.Verifier
	cache    *jwt.Cache[*Principal]
	limiter  *ratelimit.Limiter
	hasher   ratelimit.Hasher
	metrics  *metrics.Table

	anonymous   []Header // identity headers of a caller without a token
	policies    []string // RateLimit-Policy items of each limit
	windowNames [][]string
	events      uint64 // counts audit events
	counts      counts

	key, ip, line []byte // scratch
}

// New makes a Gate. The configuration must come from config.Parse.
func New(cfg *config.Config, host Host) (*Gate, error) {
	g := &Gate{cfg: cfg, host: host, table: policy.NewTable(cfg.Routes), hasher: ratelimit.NewHasher(host.HashKey)}
	rules := make([]jwt.Rules, len(cfg.Tokens.Providers))
	for i := range rules {
		rules[i] = cfg.Tokens.Providers[i].Rules
	}
	g.verifier = jwt.New(rules, keySource{g}, host.Verify, cfg.Tokens.MaxTokenBytes)
	g.cache = jwt.NewCache[*Principal](cfg.Tokens.CacheEntries, cacheBytes)
	limits := make([]ratelimit.Rule, len(cfg.Limits))
	for i := range limits {
		limits[i] = cfg.Limits[i].Rule
	}
	var err error
	if g.limiter, err = ratelimit.New(host.Store, Namespace, limits); err != nil {
		return nil, err
	}
	g.prepareHeaders()
	g.prepareMetrics()
	if cfg.Identity.Prefix != "" {
		g.anonymous = []Header{{cfg.Identity.Prefix + "caller", caller.Anonymous.String()}}
	}
	return g, nil
}

// Namespace begins all of Gatehouse's keys in data that other plugins may share.
const Namespace = "gatehouse/"

// cacheBytes bounds the memory of verified tokens in each worker: 4,096 tokens of 4 kB each, claims and all.
const cacheBytes = 16 << 20

// keySource gives the verifier a provider's keys, wherever they come from.
type keySource struct{ g *Gate }

func (s keySource) Keys(provider int) *jwks.Set {
	if p := &s.g.cfg.Tokens.Providers[provider]; p.Inline != nil {
		return p.Inline
	} else if p.Remote == nil || s.g.host.Remote == nil {
		return nil
	}
	return s.g.host.Remote.Keys(provider)
}

// Decide judges a request. If d.Verdict is Wait, the request is to be held until the keys of d.WaitFor have
// arrived or have failed to, and then be given to Resume.
func (g *Gate) Decide(r *Request, d *Decision) {
	d.reset()
	d.arrival, d.mono = r.Wall, r.Mono
	g.remember(r, d)
	g.conclude(r, d, g.judge(r, d, true))
}

// Resume goes on with a request that had to wait. The Request's headers must be as they were; its clocks are now's.
func (g *Gate) Resume(r *Request, d *Decision, mayWait bool) {
	g.conclude(r, d, g.judge(r, d, mayWait))
}

// waiting is judge's answer for a request that needs keys first. It is not a reason.
const waiting = numReasons

func (g *Gate) judge(r *Request, d *Decision, mayWait bool) Reason {
	if !d.begun {
		if reason := g.begin(r, d); reason != None {
			return reason
		}
		d.begun = true
	}
	route := g.table.Route(d.Route)
	if g.passesPreflight(r, route) {
		d.identified = true
		return None
	}
	if route.Auth == policy.None {
		d.identified = true
	} else {
		if reason := g.authenticate(r, d, mayWait); reason != None {
			return reason
		}
		d.identified = true
		if reason := g.authorize(d, route); reason != None {
			return reason
		}
	}
	return g.limit(r, d, false)
}

// begin does what comes before the token: path, route, limits.
func (g *Gate) begin(r *Request, d *Decision) Reason {
	path, safe := policy.NormalizePath(r.Path)
	if !safe {
		if !g.cfg.AllowUnsafePaths {
			return UnsafePath
		}
		path = policy.LenientPath(r.Path)
	}
	host := policy.NormalizeHost(r.Host)
	if method := r.preflight(); method != "" {
		// A preflight speaks for the request that follows it: that one's route says whether it passes.
		if i := g.table.Match(host, method, path); i >= 0 && g.table.Route(i).CORSPass {
			d.Route = i
		}
	}
	if d.Route < 0 {
		if d.Route = g.table.Match(host, r.Method, path); d.Route < 0 {
			return NoRoute
		}
	}
	return g.limit(r, d, true)
}

func (g *Gate) passesPreflight(r *Request, route *policy.Route) bool {
	return route.CORSPass && r.preflight() != ""
}

// authenticate finds out who is calling.
func (g *Gate) authenticate(r *Request, d *Decision, mayWait bool) Reason {
	optional := g.table.Route(d.Route).Auth == policy.Optional
	found, reason := g.foreign(r, d)
	if !found && reason == None {
		found, reason = g.bearer(r, d, mayWait)
	}
	if reason == waiting {
		return waiting
	}
	switch {
	case found || reason != None:
		g.tokenChecked(r, d, reason)
		return reason
	case optional:
		return None
	}
	return MissingToken
}

// foreign takes claims that another filter has verified.
func (g *Gate) foreign(r *Request, d *Decision) (found bool, bad Reason) {
	if r.Foreign == nil {
		return false, None
	}
	for i := range g.cfg.Tokens.Providers {
		if g.cfg.Tokens.Providers[i].ClaimsFrom == nil {
			continue
		}
		f := r.Foreign(i)
		switch {
		case f.Present:
			res := g.verifier.CheckClaims(i, f.Claims, r.Wall)
			if res.Reason != jwt.OK {
				return true, ofToken[res.Reason]
			}
			d.Principal = g.newPrincipal(&res)
			return true, None
		case f.Failure != None && bad == None:
			bad = f.Failure
		}
	}
	return bad != None, bad
}

// bearer verifies the token that the request itself carries.
func (g *Gate) bearer(r *Request, d *Decision, mayWait bool) (found bool, bad Reason) {
	if !g.verifies() {
		return false, None
	}
	token, bad := findToken(r, g.cfg.Tokens.From)
	if token == "" || bad != None {
		return bad != None, bad
	}
	keys := keySource{g}
	if p, ok := g.cache.Get(token, keys); ok {
		g.count(g.metrics.CacheHit(), 1)
		if reason := g.verifier.Times(p.Provider, p.NotBefore, p.Expires, r.Wall); reason != jwt.OK {
			return true, ofToken[reason]
		}
		d.Principal = p
		return true, None
	}
	res := g.verifier.Verify(token, r.Wall)
	switch res.Reason {
	case jwt.OK:
		g.count(g.metrics.CacheMiss(), 1)
		p := g.newPrincipal(&res)
		d.Principal = p
		g.cache.Put(token, p.Provider, res.Key, res.Set, cacheCost(p), p)
		return true, None
	case jwt.KeysUnavailable, jwt.UnknownKey:
		if g.fetching(res.Provider, r.Mono) && mayWait {
			d.WaitFor = res.Provider
			return false, waiting
		}
	}
	g.count(g.metrics.CacheMiss(), 1)
	return true, ofToken[res.Reason]
}

// verifies reports whether any provider's tokens are verified here rather than by another filter.
func (g *Gate) verifies() bool {
	for i := range g.cfg.Tokens.Providers {
		if g.cfg.Tokens.Providers[i].ClaimsFrom == nil {
			return true
		}
	}
	return false
}

// fetching asks for a remote provider's keys, and reports whether they may be on their way.
func (g *Gate) fetching(provider int, mono int64) bool {
	return provider >= 0 && g.cfg.Tokens.Providers[provider].Remote != nil && g.host.Remote != nil &&
		g.host.Remote.Want(provider, mono)
}

// cacheCost estimates what a cached principal occupies beside its token: the claims twice (raw and indexed), and the strings
// derived from them.
func cacheCost(p *Principal) int { return 1024 + 4*len(p.Claims.Raw()) }

// authorize applies the route's requirements to the caller.
func (g *Gate) authorize(d *Decision, route *policy.Route) Reason {
	p := d.Principal
	if p == nil {
		if route.Caller != policy.AnyCaller || len(route.ScopesAll)+len(route.ScopesAny)+len(route.GroupsAny)+len(route.Claims) > 0 {
			return MissingToken
		}
		return None
	}
	switch {
	case route.Caller == policy.HumanOnly && p.Kind != caller.Human:
		return HumanRequired
	case route.Caller == policy.MachineOnly && p.Kind != caller.Machine:
		return MachineRequired
	}
	return p.meets(route)
}

// conclude turns a reason into the decision.
func (g *Gate) conclude(r *Request, d *Decision, reason Reason) {
	if reason == waiting {
		d.Verdict = Wait
		return
	}
	d.Reason = reason
	if reason != None && g.cfg.Observe {
		g.withdraw(r, d, 0)
		d.charges = d.charges[:0]
		d.WouldBe, d.Reason = reason, None
	}
	if d.Reason != None {
		d.Verdict = Deny
		g.refuse(r, d)
	} else {
		d.Verdict = Admit
		g.admit(r, d)
	}
	g.decided(d)
}

// admit says what the upstream is to see.
func (g *Gate) admit(r *Request, d *Decision) {
	g.limitHeaders(d)
	if id := &g.cfg.Identity; id.Prefix != "" {
		for i := range r.Headers {
			if reserved(r.Headers[i].Name, id.Prefix) {
				d.Remove = append(d.Remove, r.Headers[i].Name)
			}
		}
		if d.Principal != nil {
			d.Set = append(d.Set, d.Principal.headers...)
		} else {
			d.Set = append(d.Set, g.anonymous...)
		}
	}
	if !g.cfg.Tokens.Forward {
		g.dropToken(r, d)
	}
}

// reserved reports whether a header of the client's could pass for one of ours: upstreams commonly read "_" and "-" as the
// same and ignore case.
func reserved(name, prefix string) bool {
	if len(name) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		c := name[i]
		switch {
		case c == '_':
			c = '-'
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		if c != prefix[i] {
			return false
		}
	}
	return true
}

// dropToken takes the token out of what the upstream sees.
func (g *Gate) dropToken(r *Request, d *Decision) {
	for i := range g.cfg.Tokens.From {
		s := &g.cfg.Tokens.From[i]
		if s.Cookie != "" {
			dropCookie(r, d, s.Cookie)
			continue
		}
		for j := range r.Headers {
			if h := &r.Headers[j]; h.Name == s.Header {
				if _, ok := schemed(h.Value, s.Scheme); ok {
					d.Remove = append(d.Remove, h.Name)
					break
				}
			}
		}
	}
}

// dropCookie takes a cookie out of the request's Cookie headers, of which HTTP/2 allows several (RFC 9113 §8.2.3).
func dropCookie(r *Request, d *Decision, name string) {
	var rest []string
	found := false
	for i := range r.Headers {
		if h := &r.Headers[i]; h.Name == "cookie" {
			_, has, _ := cookie(h.Value, name)
			found = found || has
			if kept := withoutCookie(h.Value, name); kept != "" {
				rest = append(rest, kept)
			}
		}
	}
	switch {
	case !found:
	case len(rest) == 0:
		d.Remove = append(d.Remove, "cookie")
	default:
		d.Set = append(d.Set, Header{"cookie", strings.Join(rest, "; ")})
	}
}

// Fail makes d a refusal for a fault of our own, whatever it was before.
func (g *Gate) Fail(d *Decision) {
	d.Verdict, d.Reason, d.WouldBe = Deny, Internal, None
	d.Remove, d.Set, d.Response, d.charges = d.Remove[:0], d.Set[:0], d.Response[:0], d.charges[:0]
	g.refuse(nil, d)
	g.decided(d)
}
