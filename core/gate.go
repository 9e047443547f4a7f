package core

import (
	"slices"

	"gatehouse/core/ascii"
	"gatehouse/core/audit"
	"gatehouse/core/caller"
	"gatehouse/core/clock"
	"gatehouse/core/config"
	"gatehouse/core/jwks"
	"gatehouse/core/jwt"
	"gatehouse/core/metrics"
	"gatehouse/core/policy"
	"gatehouse/core/ratelimit"
	"gatehouse/core/reason"
)

// RemoteKeys are the JWK Sets that the Gate's owner fetches. Methods are called with the index of a
// provider whose configuration is remote.
type RemoteKeys interface {
	// Keys is the current JWK Set, nil while there is none.
	Keys(provider int) *jwks.Set
	// RequestFetch asks for another set: there is none (why is KeysUnavailable), it lacks the
	// token's key (UnknownKey), or none of its keys made the signature (InvalidSignature). It
	// reports whether a fetch is starting or under way, so that waiting for it makes sense.
	RequestFetch(provider int, why reason.Reason, mono clock.Mono) bool
}

// Host is what a Gate needs of the place where it runs.
type Host struct {
	Store      ratelimit.Store   // shared by all workers
	Remote     RemoteKeys        // may be nil if no provider is remote
	Verify     jwt.HostVerify    // may be nil: the module's own code alone
	Mono       func() clock.Mono // reads the monotonic clock
	HashKey    [16]byte          // secret, the same for all workers
	Version    string            // of the filter, for gatehouse_build_info
	InstanceID uint64            // random, one for each Gate: makes event ids unique
}

// Gate is one configuration at work in one worker. It is not safe for concurrent use, as a VM has
// one thread.
type Gate struct {
	cfg      *config.Config
	host     Host
	table    *policy.Table
	verifier *jwt.Verifier
	cache    *jwt.Cache[*Principal]
	limiter  *ratelimit.Limiter
	hasher   ratelimit.Hasher
	metrics  *metrics.Table

	published   []published // protected resources whose metadata the Gate answers with
	anonymous   []Header    // identity headers of a caller without a token
	policies    []string    // RateLimit-Policy items of each limit
	windowNames [][]string
	events      uint64       // counts audit events
	chain       *audit.Chain // nil: audit lines aren't chained
	losses      audit.Losses
	counts      counts

	key, ip, value, line []byte // scratch
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
		limits[i].MinCost = minCost(cfg.Routes, i)
	}
	var err error
	if g.limiter, err = ratelimit.New(host.Store, Namespace, limits); err != nil {
		return nil, err
	}
	if c := cfg.Audit.Chain; c != nil {
		g.chain = audit.NewChain(c.KeyID, c.Key, string(ascii.AppendHex(nil, host.InstanceID)))
	}
	g.prepareHeaders()
	g.prepareResources()
	g.prepareMetrics()
	if cfg.Identity.Prefix != "" && slices.Contains(cfg.Identity.Fields, "caller") {
		g.anonymous = []Header{{cfg.Identity.Prefix + "caller", caller.Anonymous.String()}}
	}
	return g, nil
}

// Namespace begins all of Gatehouse's keys in data that other plugins may share.
const Namespace = "gatehouse/"

// HostAlgorithms names the algorithms whose signatures the host verifies; the module verifies the
// rest.
func (g *Gate) HostAlgorithms() []string { return g.verifier.HostAlgorithms().Names() }
