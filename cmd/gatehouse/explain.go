package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/core"
	"gatehouse/core/claims"
	"gatehouse/core/config"
	"gatehouse/core/jwks"
	"gatehouse/core/policy"
	"gatehouse/core/ratelimit"
)

// question is what `explain` is asked.
type question struct {
	config                       configFlags
	method, path, host, ip, keys string
	headers                      []string
	at                           int64
}

func explainCommand() *cobra.Command {
	var q question
	c := &cobra.Command{
		Use:   "explain --config FILE --method M --path P",
		Short: "Say what the filter would do with a request, and why",
		Long: `Say what the filter would do with a request, and why: which route, which decision, which limits.

A token, if the request has one, is on the standard input. FILE is what "gatehouse check" takes. Keys come from the provider's jwks, a remote one fetched from its uri, unless --jwks says otherwise. Limits are as for the
first request. Where a provider takes claims that Envoy has verified, the token's are taken as if it had. The exit code
is 0 whatever the decision is.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := q.config.load()
			if err != nil {
				return err
			}
			text, err := readAll(c.InOrStdin(), maxInput)
			if err != nil {
				return fmt.Errorf("token: %w", err)
			}
			now := time.Now()
			if c.Flags().Changed("at") {
				if q.at < 0 || q.at > math.MaxInt64/int64(time.Second) {
					return fmt.Errorf("--at: want 0..%d, got %d", math.MaxInt64/int64(time.Second), q.at)
				}
				now = time.Unix(q.at, 0)
			}
			return explain(c.Context(), c.OutOrStdout(), cfg, q, strings.TrimSpace(string(text)), now)
		},
	}
	flags := c.Flags()
	q.config.register(c)
	flags.StringVar(&q.method, "method", "GET", "the request's method")
	flags.StringVar(&q.path, "path", "", "the request's path, as sent")
	flags.StringVar(&q.host, "host", "", "the request's host")
	flags.StringVar(&q.ip, "ip", "127.0.0.1", "the client's address")
	flags.StringArrayVar(&q.headers, "header", nil, `a header, "name: value"; may be given again`)
	flags.StringVar(&q.keys, "jwks", "", "a JWK Set to use instead of the provider's")
	flags.Int64Var(&q.at, "at", 0, "the moment of the request, in Unix seconds (default: now)")
	_ = c.MarkFlagRequired("path")
	return c
}

// explanation is what `explain` prints.
type explanation struct {
	Decision string           `json:"decision"` // admitted or refused
	Status   *int             `json:"status"`   // of a refusal
	Reason   *string          `json:"reason"`
	WouldBe  *string          `json:"would_be"`
	Why      string           `json:"why"`
	Route    *explainedRoute  `json:"route"`
	Caller   *explainedCaller `json:"caller"`
	Limits   []explainedLimit `json:"limits"`
}

type explainedRoute struct {
	Index  int      `json:"index"`
	Name   string   `json:"name"`
	Path   string   `json:"path"`
	Auth   string   `json:"auth"`
	Caller string   `json:"caller"`
	Limits []string `json:"rate_limits"`
}

type explainedCaller struct {
	Kind     string   `json:"kind"`
	Evidence *string  `json:"evidence"`
	Provider *string  `json:"provider"`
	UserID   *string  `json:"user_id"`
	ClientID *string  `json:"client_id"`
	Scopes   []string `json:"scopes"`
	Groups   []string `json:"groups"`
}

type explainedLimit struct {
	Name     string            `json:"name"`
	Admitted bool              `json:"admitted"`
	Shadow   bool              `json:"shadow"`
	Windows  []explainedWindow `json:"windows"`
}

type explainedWindow struct {
	Limit     uint64 `json:"limit"`
	Remaining uint64 `json:"remaining"`
}

func explain(ctx context.Context, out io.Writer, cfg *config.Config, q question, token string, now time.Time) error {
	keys := &remoteKeys{providerKeys{ctx: ctx, providers: cfg.Tokens.Providers, source: q.keys}}
	if q.keys != "" {
		if err := overrideKeys(ctx, cfg, q.keys); err != nil {
			return err
		}
	}
	gate, err := core.New(cfg, core.Host{
		Store: ratelimit.NewMemoryStore(), Remote: keys, Mono: func() int64 { return 0 },
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
	return printJSON(out, explanationOf(cfg, &d, token != ""))
}

// overrideKeys puts a JWK Set in the place of every provider's own.
func overrideKeys(ctx context.Context, cfg *config.Config, source string) error {
	set, err := loadKeys(ctx, source)
	if err != nil {
		return err
	}
	for i := range cfg.Tokens.Providers {
		if p := &cfg.Tokens.Providers[i]; p.ClaimsFrom == nil {
			p.Inline, p.Remote = set, nil
		}
	}
	return nil
}

// remoteKeys fetches a provider's keys at once.
type remoteKeys struct{ providerKeys }

// Keys implements core.RemoteKeys.
func (k *remoteKeys) Keys(i int) *jwks.Set { return k.providerKeys.Keys(i) }

// Want implements core.RemoteKeys: a second fetch would bring nothing new.
func (k *remoteKeys) Want(int, int64) bool { return false }

func (q *question) request(cfg *config.Config, token string, now time.Time) (*core.Request, error) {
	source := q.ip + ":0"
	if strings.Contains(q.ip, ":") {
		source = "[" + q.ip + "]:0"
	}
	r := &core.Request{Method: q.method, Path: q.path, Host: q.host, Source: source, Wall: now.UnixNano()}
	for _, h := range q.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return nil, errors.New(`--header: want "name: value"`)
		}
		name = strings.ToLower(strings.TrimSpace(name))
		if carriesToken(cfg, name) { // a command's arguments are everybody's to read
			return nil, fmt.Errorf("--header: %q may carry a token, which belongs on the standard input", name)
		}
		r.Headers = append(r.Headers, core.Header{Name: name, Value: strings.TrimSpace(value)})
	}
	if token == "" {
		return r, nil
	}
	set, ok, err := envoysClaims(cfg, token)
	if err != nil {
		return nil, err
	}
	if ok {
		r.Foreign = func(int) core.Foreign { return core.Foreign{Present: true, Claims: set} }
		return r, nil
	}
	switch s := cfg.Tokens.From; {
	case len(s) == 0:
	case s[0].Cookie != "":
		r.Headers = append(r.Headers, core.Header{Name: "cookie", Value: s[0].Cookie + "=" + token})
	default:
		r.Headers = append(r.Headers, core.Header{Name: s[0].Header, Value: strings.TrimSpace(s[0].Scheme + " " + token)})
	}
	return r, nil
}

// carriesToken reports whether a header is a place for tokens.
func carriesToken(cfg *config.Config, header string) bool {
	for _, s := range cfg.Tokens.From {
		if s.Header == header || s.Cookie != "" && header == "cookie" {
			return true
		}
	}
	return header == "authorization" || header == "proxy-authorization"
}

// envoysClaims are the token's claims where Envoy verifies it: where a provider takes them from there, and the token's issuer is
// none of those whose tokens the filter itself verifies.
func envoysClaims(cfg *config.Config, token string) (set claims.Set, ok bool, err error) {
	own := map[string]bool{}
	for _, p := range cfg.Tokens.Providers {
		if p.ClaimsFrom != nil {
			ok = true
		} else {
			own[p.Issuer] = true
		}
	}
	if !ok {
		return set, false, nil
	}
	set, err = unverified(token)
	iss, _ := set.Get("iss").Text()
	switch {
	case err != nil && len(own) == 0:
		return set, false, err
	case err != nil || own[iss]:
		return set, false, nil //nolint:nilerr // the filter will say what is wrong with it
	}
	return set, true, nil
}

// unverified reads a token's claims as Envoy hands them on when it has verified them.
func unverified(token string) (claims.Set, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims.Set{}, errors.New("token: want a JWS in the compact serialisation")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return claims.Set{}, errors.New("token: its payload isn't base64url")
	}
	set, err := claims.Parse(payload)
	if err != nil {
		return claims.Set{}, fmt.Errorf("token: its payload: %w", err)
	}
	return set, nil
}

func explanationOf(cfg *config.Config, d *core.Decision, hasToken bool) explanation {
	e := explanation{Decision: "admitted", Limits: []explainedLimit{}, Why: why(cfg, d)}
	if d.Verdict != core.Admit {
		status := d.Reason.Status()
		e.Decision, e.Status, e.Reason = "refused", &status, orNull(d.Reason.String())
	}
	e.WouldBe = orNull(d.WouldBe.String())
	if d.Route >= 0 {
		e.Route = describeRoute(cfg, d.Route)
	}
	switch p := d.Principal; {
	case p != nil:
		e.Caller = &explainedCaller{
			Kind: p.Kind.String(), Evidence: orNull(p.Evidence), Provider: &cfg.Tokens.Providers[p.Provider].Name,
			UserID: orNull(p.UserID), ClientID: orNull(p.ClientID), Scopes: orEmpty(p.Scopes), Groups: orEmpty(p.Groups),
		}
	case !hasToken:
		e.Caller = &explainedCaller{Kind: "anonymous", Scopes: []string{}, Groups: []string{}}
	}
	for _, m := range d.Met() {
		l := explainedLimit{Name: cfg.Limits[m.Limit].Name, Admitted: m.Result.Admitted, Shadow: cfg.Limits[m.Limit].Shadow}
		for _, w := range m.Result.Windows[:m.Result.N] {
			l.Windows = append(l.Windows, explainedWindow{w.Limit, w.Remaining})
		}
		e.Limits = append(e.Limits, l)
	}
	return e
}

func describeRoute(cfg *config.Config, i int) *explainedRoute {
	r := &cfg.Routes[i]
	route := &explainedRoute{
		Index: i, Name: r.Name, Path: r.Pattern.String(), Limits: []string{},
		Auth:   map[policy.Auth]string{policy.Required: "required", policy.Optional: "optional", policy.None: "none"}[r.Auth],
		Caller: map[policy.CallerRule]string{policy.AnyCaller: "any", policy.HumanOnly: "human", policy.MachineOnly: "machine"}[r.Caller],
	}
	for _, l := range r.RateLimits {
		route.Limits = append(route.Limits, cfg.Limits[l].Name)
	}
	return route
}

// why is the decision in words.
func why(cfg *config.Config, d *core.Decision) string {
	reason := d.Reason
	if d.WouldBe != core.None {
		reason = d.WouldBe
	}
	text, ok := whys[reason]
	if !ok {
		text = "the token is bad: " + reason.String()
	}
	if d.WouldBe != core.None {
		text = "admitted in observe mode; otherwise: " + text
	}
	if d.Rule >= 0 {
		text += " (" + cfg.Limits[d.Rule].Name + ")"
	}
	return text
}

var whys = map[core.Reason]string{
	core.None:              "every requirement of the route is met",
	core.MissingToken:      "the route wants a token, or more than an anonymous caller has",
	core.HumanRequired:     "the route wants a human",
	core.MachineRequired:   "the route wants a machine",
	core.InsufficientScope: "the token lacks a scope that the route wants",
	core.GroupRequired:     "the caller is in none of the groups that the route wants",
	core.ClaimRequired:     "a claim hasn't a value that the route wants",
	core.NoRoute:           "no route matches host, method and path",
	core.RateLimited:       "a rate limit refuses",
	core.UnsafePath:        "the path could be read in more than one way",
	core.KeysUnavailable:   "the provider's keys are not to be had",
	core.Contention:        "a rate limit's state could not be updated",
	core.Internal:          "a fault of Gatehouse's own",
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
