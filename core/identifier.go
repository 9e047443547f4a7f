package core

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"gatehouse/core/config"
	"gatehouse/core/jwt"
	"gatehouse/core/policy"
	"gatehouse/core/ratelimit"
)

// ParseIdentifier reads a caller's identifier under a rate limit, as people and the admin API write
// it. The limit's elements are separated by commas, each as NAME=VALUE:
//
//	user_id=main/alice,route=orders
//
// A value that comes from a token begins with its provider, and with the segment of its issuer if
// that has a placeholder: user_id=main/SEGMENT/alice. Every part is percent-encoded (RFC 3986
// §2.1), so that its own commas and slashes differ from those between parts. The value of a claim
// is a text; NAME:=VALUE gives it as JSON, for numbers, lists and so on. A name without "=" means
// that the request has none of the element's alternatives; global stands alone too. The error says
// which part is wrong, and what is allowed.
func (g *Gate) ParseIdentifier(rule int, text string) (ratelimit.ID, error) {
	l := &g.cfg.Limits[rule]
	parts := strings.Split(text, ",")
	if len(parts) != len(l.Identifier) {
		return ratelimit.ID{}, errors.New("want " + strconv.Itoa(len(l.Identifier)) + " elements, " + describe(l.Identifier) +
			", got " + strconv.Itoa(len(parts)))
	}
	var key []byte
	for i, part := range parts {
		var err error
		if key, err = g.appendPart(key, l, l.Identifier[i], part); err != nil {
			return ratelimit.ID{}, errors.New("element " + strconv.Itoa(i+1) + ": " + err.Error())
		}
	}
	return g.hasher.Sum(key), nil
}

var (
	errEscape   = errors.New("want percent-encoded text")
	errProvider = errors.New("want PROVIDER/VALUE, or PROVIDER/SEGMENT/VALUE if the provider's issuer has a placeholder")
	errRoute    = errors.New("no route has this name")
	errHost     = errors.New("want a host")
	errValue    = errors.New("want a value after =")
)

// appendPart appends the key of one element.
func (g *Gate) appendPart(key []byte, l *config.Limit, alternatives []config.Element, part string) ([]byte, error) {
	written, value, hasValue := strings.Cut(part, "=")
	written, asJSON := strings.CutSuffix(written, ":")
	name, ok := unescape(written)
	if !ok {
		return nil, errEscape
	}
	e, ok := namedElement(alternatives, name)
	switch {
	case !ok || asJSON && e.Kind != config.Claim:
		return nil, errors.New("want " + describe([][]config.Element{alternatives}))
	case e.Kind == config.Global && value == "":
		return ratelimit.AppendElement(key, keyGlobal, "", "", ""), nil
	case !hasValue:
		return ratelimit.AppendAbsent(key), nil
	case value == "" || e.Kind == config.Global:
		return nil, errValue
	}
	provider := ""
	if e.Kind == config.UserID || e.Kind == config.ClientID || e.Kind == config.Claim {
		if provider, value, ok = g.splitProvider(value); !ok {
			return nil, errProvider
		}
	}
	if value, ok = unescape(value); !ok {
		return nil, errEscape
	}
	kind := keyOf[e.Kind]
	switch e.Kind {
	case config.IP:
		return g.appendIP(key, l, value), nil
	case config.Claim:
		if asJSON {
			kind = keyClaimJSON
		}
	case config.Host:
		if value, ok = policy.NormalizeHost(value); !ok {
			return nil, errHost
		}
	case config.Route:
		if !slices.ContainsFunc(g.cfg.Routes, func(r policy.Route) bool { return r.Name == value }) {
			return nil, errRoute
		}
	}
	return ratelimit.AppendElement(key, kind, e.Name, provider, value), nil
}

// keyOf is the kind of key for each kind of element. Only claims and headers have a name.
var keyOf = [...]byte{
	config.UserID: keyUser, config.ClientID: keyClient, config.Claim: keyClaim, config.Header: keyHeader, config.Route: keyRoute,
	config.Method: keyMethod, config.Host: keyHost, config.Global: keyGlobal,
}

// splitProvider takes PROVIDER/ off the front of a value, or PROVIDER/SEGMENT/ if the provider's
// issuer has a placeholder. namespace is what principals of the provider, and the segment, are
// keyed under.
func (g *Gate) splitProvider(value string) (namespace, rest string, ok bool) {
	written, rest, _ := strings.Cut(value, "/")
	name, _ := unescape(written)
	for i := range g.cfg.Tokens.Providers {
		p := &g.cfg.Tokens.Providers[i]
		if p.Name != name {
			continue
		}
		if _, pattern, _ := jwt.ParseIssuer(p.Issuer); pattern {
			written, rest, _ = strings.Cut(rest, "/")
			segment, _ := unescape(written)
			name += "/" + segment
		}
		return name, rest, rest != "" && strings.IndexByte(rest, '/') < 0
	}
	return "", "", false
}

// namedElement finds the alternative with a name. A user id that is a client id is keyed as
// client_id, so that user_id admits this name too.
func namedElement(alternatives []config.Element, name string) (config.Element, bool) {
	for _, e := range alternatives {
		if e.Kind == config.UserID && name == "client_id" {
			e.Kind = config.ClientID
		}
		if e.String() == name {
			return e, true
		}
	}
	return config.Element{}, false
}

// describe names the elements of an identifier: user_id|ip,route.
func describe(identifier [][]config.Element) string {
	text := ""
	for i, alternatives := range identifier {
		if i > 0 {
			text += ","
		}
		for j, e := range alternatives {
			if j > 0 {
				text += "|"
			}
			text += e.String()
		}
	}
	return text
}

// unescape decodes percent-encoding (RFC 3986 §2.1). It refuses a percent sign that doesn't begin
// an escape.
func unescape(s string) (string, bool) {
	if strings.IndexByte(s, '%') < 0 {
		return s, true
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if len(s)-i < 3 {
				return "", false
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", false
			}
			c = byte(n)
			i += 2
		}
		out = append(out, c)
	}
	return string(out), true
}

// Limiter is what the Gate counts requests with, for looking at and resetting what it has counted.
func (g *Gate) Limiter() *ratelimit.Limiter { return g.limiter }
