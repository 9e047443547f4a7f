package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse/cmd/gatehouse/internal/explain"
	"gatehouse/core"
	"gatehouse/core/clock"
	"gatehouse/core/config"
	"gatehouse/core/jwks"
	"gatehouse/core/ratelimit"
	"gatehouse/core/reason"
)

// question has the flags of `explain`.
type question struct {
	config                 configFlags
	method, path, host, ip string
	keys, headers          []string
	at                     momentFlag
	event                  bool
}

func explainCommand() *cobra.Command {
	var q question
	c := &cobra.Command{
		Use:   "explain --config FILE --method M --path P | --event",
		Short: "Say what the filter does with a request, and why",
		Long: `Say what the filter does with a request, and why: which route, which decision, which limits; what was seen against what is
configured; and the route that nearly matched and what it lacked.

A token, if the request has one, is on the standard input. FILE is what "gatehouse check" takes. Keys come from the provider's
jwks, a remote one fetched from its uri, unless --jwks says otherwise: a source for all providers, or PROVIDER=SOURCE for one.
Limits are as for the first request. Where a provider takes claims that Envoy has verified, the token's are taken as if it had.

With --event an audit event is on the standard input, and the answer is as far as the event tells.

The exit code is 0 whatever the decision is.`,
		Args: fromInput,
		RunE: func(c *cobra.Command, _ []string) error {
			return q.answer(c)
		},
	}
	flags := c.Flags()
	q.config.register(c)
	flags.StringVar(&q.method, "method", "GET", "the request's method")
	flags.StringVar(&q.path, "path", "", "the request's path, as sent")
	flags.StringVar(&q.host, "host", "localhost", "the request's host")
	flags.StringVar(&q.ip, "ip", "127.0.0.1", "the client's address")
	flags.StringArrayVar(&q.headers, "header", nil, `a header, "name: value"; may be given again`)
	flags.StringArrayVar(&q.keys, "jwks", nil, "a JWK Set, `[PROVIDER=]FILE|URL`, to use instead of the provider's; may be given again")
	flags.BoolVar(&q.event, "event", false, "explain the audit event on the standard input")
	q.at.register(c, "the moment of the request")
	return c
}

func (q *question) answer(c *cobra.Command) error {
	switch {
	case q.event:
		for _, name := range []string{"method", "path", "host", "ip", "header", "jwks", "at"} {
			if c.Flags().Changed(name) {
				return errors.New("--event: not together with --" + name + ", which the event tells or lacks")
			}
		}
	case q.path == "":
		return errors.New("want --path, or --event")
	}
	plugin, err := q.config.find()
	if err != nil {
		return err
	}
	configured, err := explain.Read(plugin.Config)
	if q.event {
		cfg, checkErr := q.config.check(plugin, func(string) {})
		if err := errors.Join(checkErr, err); err != nil {
			return err
		}
		return explainEvent(c, cfg, configured)
	}
	cfg, parseErr := q.config.parse(plugin, func(string, string) {})
	if err := errors.Join(parseErr, err); err != nil {
		return err
	}
	text, err := readAll(c.InOrStdin(), maxInput)
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	now, err := q.at.moment(c)
	if err != nil {
		return err
	}
	return explainRequest(c.Context(), c.OutOrStdout(), cfg, configured, q, strings.TrimSpace(string(text)), now)
}

func explainRequest(ctx context.Context, out io.Writer, cfg *config.Config, configured *explain.Configured, q *question, token string, now clock.Wall) error {
	keys := &remoteKeys{providerKeys{ctx: ctx, providers: cfg.Tokens.Providers}}
	if err := overrideKeys(ctx, cfg, q.keys); err != nil {
		return err
	}
	gate, err := core.New(cfg, core.Host{
		Store: ratelimit.NewMemoryStore(), Remote: keys, Mono: func() clock.Mono { return 0 },
	})
	if err != nil {
		return err
	}
	r, err := q.request(cfg, token, now)
	if err != nil {
		return err
	}
	var d core.Decision
	gate.Decide(r, &d)
	if keys.err != nil {
		return keys.err
	}
	e := explanationOf(cfg, &d, token != "")
	if token != "" && (d.Route < 0 || configured.Routes[d.Route].Auth != "none") {
		ids := keyIDs(cfg, configured.ProviderOfToken(token), keys.set, max(d.Reason, d.WouldBe))
		e.Compared = append(e.Compared, configured.Token(token, ids, int64(now)/1e9)...)
	}
	if e.Caller != nil {
		var raw []byte
		if d.Principal != nil {
			raw = []byte(d.Principal.Claims.Raw())
		}
		caller := explain.Caller{Kind: e.Caller.Kind, Scopes: e.Caller.Scopes, Groups: e.Caller.Groups}
		e.Compared = append(e.Compared, configured.Route(d.Route, caller, raw)...)
	}
	if d.Route >= 0 || d.Reason == reason.NoRoute || d.WouldBe == reason.NoRoute {
		path, _, _ := strings.Cut(q.path, "?")
		e.Nearest = configured.Nearest(q.method, q.host, path, d.Route)
	}
	return printEscaped(out, e)
}

// keyIDs are those of the provider's keys, where none of them verified the token.
func keyIDs(cfg *config.Config, provider int, fetched *jwks.Set, why reason.Reason) []string {
	if provider < 0 || why != reason.UnknownKey && why != reason.InvalidSignature {
		return nil
	}
	set := cfg.Tokens.Providers[provider].Inline
	if set == nil {
		set = fetched
	}
	if set == nil {
		return nil
	}
	ids := []string{}
	for _, k := range set.Keys {
		ids = append(ids, k.ID)
	}
	return ids
}

// overrideKeys replaces providers' JWK Sets by those that --jwks names: SOURCE for all of them, or
// PROVIDER=SOURCE.
func overrideKeys(ctx context.Context, cfg *config.Config, sources []string) error {
	given := map[string]bool{}
	for _, source := range sources {
		provider := ""
		if name, rest, ok := strings.Cut(source, "="); ok && slices.ContainsFunc(cfg.Tokens.Providers, func(p config.Provider) bool { return p.Name == name }) {
			provider, source = name, rest
		}
		if given[provider] {
			return errors.New("--jwks: given twice for " + orAll(provider))
		}
		given[provider] = true
		set, err := loadKeys(ctx, source)
		if err != nil {
			return err
		}
		for i := range cfg.Tokens.Providers {
			p := &cfg.Tokens.Providers[i]
			if p.ClaimsFrom == nil && (p.Name == provider || provider == "" && !given[p.Name]) {
				p.Inline, p.Remote = set, nil
			}
		}
	}
	return nil
}

func orAll(provider string) string {
	if provider == "" {
		return "all providers"
	}
	return "provider " + provider
}

// remoteKeys fetches a provider's keys at once.
type remoteKeys struct{ providerKeys }

// Keys implements core.RemoteKeys.
func (k *remoteKeys) Keys(i int) *jwks.Set { return k.providerKeys.Keys(i) }

// RequestFetch implements core.RemoteKeys: a second fetch would bring nothing new.
func (k *remoteKeys) RequestFetch(int, reason.Reason, clock.Mono) bool { return false }
