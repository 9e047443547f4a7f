package config

import (
	"strconv"

	"gatehouse/core/jwks"
	"gatehouse/core/jwt"

	"github.com/go-json-experiment/json/jsontext"
)

// inline reads a JWK Set that stands in the configuration. Somebody put each key there on purpose,
// unlike in a fetched set: so it warns of a key that can't be used, and a set without a usable key
// is an error.
func (p *parser) inline(n *node, algorithms jwt.AlgSet) *jwks.Set {
	keys := n.list("keys")
	symmetric := false
	for _, key := range keys {
		if !p.secret(key.get("k")) || !key.usable() || !key.get("kty").usable() {
			return nil
		}
		symmetric = symmetric || key.str("kty") == "oct"
		if d := key.get("d"); d != nil {
			p.warn(d, "a private key should not be here: only its owner needs it")
		}
	}
	if len(keys) == 0 {
		return nil
	}
	set, err := jwks.Parse(n.appendJSON(nil))
	if err != nil {
		p.problem(n, err.Error())
		return nil
	}
	for _, s := range set.Skipped {
		p.warn(keys[s.Index], "not used: "+s.Why)
	}
	fits := 0
	for _, key := range set.Keys {
		if algorithms.Fits(key) {
			fits++
		}
	}
	if fits == 0 && algorithms != 0 {
		message := "want at least one key that fits the provider's algorithms"
		for _, s := range set.Skipped {
			message += "; keys[" + strconv.Itoa(s.Index) + "]: " + s.Why
		}
		p.problem(n, message)
	}
	return set
}

// secret replaces {"env": NAME} by the value of the environment variable. It returns false after it
// has reported a problem.
func (p *parser) secret(n *node) bool {
	switch {
	case n == nil, n.kind == isNull:
		return true
	case !n.usable():
		return false
	case n.kind == isText:
		p.warn(n, `Envoy's config dump shows it; {"env": NAME} doesn't`)
		return true
	}
	name := n.get("env")
	if !name.usable() {
		return false
	}
	value, ok := p.env(name.text)
	if !ok || value == "" {
		p.problem(name, "the environment variable "+name.text+" is not set")
		return false
	}
	n.kind, n.text, n.kids = isText, value, nil
	return true
}

// appendJSON writes a node as JSON.
func (n *node) appendJSON(dst []byte) []byte {
	switch n.kind {
	case isNull:
		return append(dst, "null"...)
	case isBoolean:
		return strconv.AppendBool(dst, n.truth)
	case isNumber:
		return append(dst, n.text...)
	case isText:
		return appendText(dst, n.text)
	}
	open, end := byte('['), byte(']')
	if n.kind == isObject {
		open, end = '{', '}'
	}
	dst = append(dst, open)
	for i, kid := range n.kids {
		if i > 0 {
			dst = append(dst, ',')
		}
		if n.kind == isObject {
			dst = append(appendText(dst, kid.name), ':')
		}
		dst = kid.appendJSON(dst)
	}
	return append(dst, end)
}

// appendText writes a JSON string. Text that is not UTF-8, which a variable's value can be, becomes
// U+FFFD.
func appendText(dst []byte, s string) []byte {
	quoted, err := jsontext.AppendQuote(dst, s)
	if err != nil {
		return append(dst, `"\ufffd"`...)
	}
	return quoted
}
