package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"gatehouse/core"
	"gatehouse/core/claims"
	"gatehouse/core/clock"
	"gatehouse/core/config"
	"gatehouse/core/jwt"
)

func (q *question) request(cfg *config.Config, token string, now clock.Wall) (*core.Request, error) {
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
		r.External = func(int) core.ExternalClaims { return core.ExternalClaims{Present: true, Claims: set} }
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
	rules := make([]jwt.Rules, len(cfg.Tokens.Providers))
	verifies := false // any provider's tokens itself
	for i, p := range cfg.Tokens.Providers {
		rules[i] = p.Rules
		if p.ClaimsFrom != nil {
			ok = true
		} else {
			verifies = true
		}
	}
	if !ok {
		return set, false, nil
	}
	set, err = unverified(token)
	iss, _ := set.Get("iss").Text()
	provider, _ := jwt.New(rules, nil, nil, cfg.Tokens.MaxTokenBytes).Provider(iss)
	switch {
	case err != nil && !verifies:
		return set, false, err
	case err != nil || provider >= 0 && cfg.Tokens.Providers[provider].ClaimsFrom == nil:
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
