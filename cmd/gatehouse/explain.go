package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse/core"
	"gatehouse/core/claims"
	"gatehouse/core/config"
	"gatehouse/core/jwks"
	"gatehouse/core/ratelimit"
	"gatehouse/core/reason"
)

// question has the flags of `explain`.
type question struct {
	config                       configFlags
	method, path, host, ip, keys string
	headers                      []string
	at                           momentFlag
}

func explainCommand() *cobra.Command {
	var q question
	c := &cobra.Command{
		Use:   "explain --config FILE --method M --path P",
		Short: "Say what the filter would do with a request, and why",
		Long: `Say what the filter would do with a request, and why: which route, which decision, which limits.

A token, if the request has one, is on the standard input. FILE is what "gatehouse check" takes. Keys come from the provider's
jwks, a remote one fetched from its uri, unless --jwks says otherwise. Limits are as for the first request. Where a provider takes
claims that Envoy has verified, the token's are taken as if it had. The exit code is 0 whatever the decision is.`,
		Args: fromInput,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := q.config.load()
			if err != nil {
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
			return explain(c.Context(), c.OutOrStdout(), cfg, q, strings.TrimSpace(string(text)), now)
		},
	}
	flags := c.Flags()
	q.config.register(c)
	flags.StringVar(&q.method, "method", "GET", "the request's method")
	flags.StringVar(&q.path, "path", "", "the request's path, as sent")
	flags.StringVar(&q.host, "host", "localhost", "the request's host")
	flags.StringVar(&q.ip, "ip", "127.0.0.1", "the client's address")
	flags.StringArrayVar(&q.headers, "header", nil, `a header, "name: value"; may be given again`)
	flags.StringVar(&q.keys, "jwks", "", "a JWK Set, `FILE|URL`, to use instead of the provider's")
	q.at.register(c, "the moment of the request")
	_ = c.MarkFlagRequired("path")
	return c
}

func explain(ctx context.Context, out io.Writer, cfg *config.Config, q question, token string, now int64) error {
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

// overrideKeys replaces every provider's JWK Set.
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
func (k *remoteKeys) Want(int, reason.Reason, int64) bool { return false }

func (q *question) request(cfg *config.Config, token string, now int64) (*core.Request, error) {
	ip, err := netip.ParseAddr(q.ip)
	if err != nil {
		return nil, fmt.Errorf("--ip: want an IP address, got %q", q.ip)
	}
	r := &core.Request{Method: q.method, Path: q.path, Host: q.host, Source: netip.AddrPortFrom(ip, 0).String(), Wall: now}
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

// envoysClaims are the token's claims where Envoy verifies it: where a provider takes them from
// there, and the token's issuer is none of those whose tokens the filter itself verifies.
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
