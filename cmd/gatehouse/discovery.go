package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"gatehouse/core/config"
)

// discoverKeys finds the address of a provider's JWK Set in its OpenID configuration (RFC 8414 §3).
// It refuses what the filter refuses: another issuer, and an address on another authority.
func discoverKeys(ctx context.Context, p *config.Provider) (source string, err error) {
	document, err := loadSource(ctx, p.Remote.URI)
	if err == nil {
		source, err = jwksURI(document, p.Issuer, p.Remote.URI)
	}
	if err != nil {
		return "", fmt.Errorf("OpenID configuration %s: %w", p.Remote.URI, err)
	}
	return source, nil
}

func jwksURI(document []byte, issuer, uri string) (string, error) {
	var said struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if json.Unmarshal(document, &said) != nil {
		return "", errors.New("not a JSON object with issuer and jwks_uri")
	}
	if !sameIssuer(said.Issuer, issuer) {
		return "", fmt.Errorf("its issuer is %q, want the provider's, %q", said.Issuer, issuer)
	}
	base, err := url.Parse(uri)
	if err != nil {
		return "", err
	}
	set, err := url.Parse(said.JWKSURI)
	if err != nil || set.Scheme != base.Scheme || !strings.EqualFold(set.Host, base.Host) || set.User != nil {
		return "", fmt.Errorf("its jwks_uri %q has another scheme or authority: the filter takes it only as jwks.uri", said.JWKSURI)
	}
	return set.String(), nil
}

// sameIssuer compares issuers; a {name} in one fits any {name} in the other.
func sameIssuer(a, b string) bool {
	as, bs := strings.Split(a, "/"), strings.Split(b, "/")
	if len(as) != len(bs) {
		return false
	}
	for i := range as {
		if as[i] != bs[i] && (!isPlaceholder(as[i]) || !isPlaceholder(bs[i])) {
			return false
		}
	}
	return true
}

func isPlaceholder(segment string) bool {
	return len(segment) > 2 && segment[0] == '{' && segment[len(segment)-1] == '}'
}
