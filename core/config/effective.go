package config

import (
	"crypto/sha256"
	"slices"
	"strconv"
)

// effective sets the configuration's hash and, for the admin API, its text. The text has every
// default filled in. Its members are in the order of the tables, so that documents that mean the
// same have the same text. Secrets are "***", so the hash tells nothing about them. admin itself is
// left out: the admin API and its gate have the same hash.
func (p *parser) effective(root *node) {
	text := appendEffective(nil, root, &configuration)
	sum := sha256.Sum256(text)
	for _, b := range sum[:6] {
		p.config.Hash = p.config.Hash<<8 | uint64(b)
	}
	if p.config.Admin != nil {
		p.config.Admin.Effective = text
	}
}

const hidden = `"***"`

func appendEffective(dst []byte, n *node, s *Shape) []byte {
	switch {
	case s.Secret && s.Type != Object:
		return append(dst, hidden...)
	case s.Type == Either:
		for _, one := range s.Either {
			if one.kind() == n.kind {
				return appendEffective(dst, n, one)
			}
		}
	case s.Type == Integer:
		v, _ := integer(n.text)
		return strconv.AppendInt(dst, v, 10)
	case s.Type == List:
		dst = append(dst, '[')
		for i, kid := range n.kids {
			dst = appendComma(dst, i)
			dst = appendEffective(dst, kid, s.Element)
		}
		return append(dst, ']')
	case s.Type == Map:
		dst = append(dst, '{')
		for i, kid := range sorted(n.kids) {
			dst = appendName(dst, i, kid)
			dst = appendEffective(dst, kid, s.Element)
		}
		return append(dst, '}')
	case s.Type == Object:
		return appendEffectiveObject(dst, n, s)
	}
	return n.appendJSON(dst)
}

func appendEffectiveObject(dst []byte, n *node, s *Shape) []byte {
	dst = append(dst, '{')
	count := 0
	for i := range s.Fields {
		f := &s.Fields[i]
		kid := n.get(f.Name)
		if kid != nil && f.Shape != &admin && f.Name != "$schema" && !otherChoices(n, s, f.Name) {
			dst = appendName(dst, count, kid)
			dst = appendEffective(dst, kid, f.Shape)
			count++
		}
	}
	if s.Open {
		for _, kid := range sorted(n.kids) {
			if s.field(kid.name) != nil {
				continue
			}
			dst = appendName(dst, count, kid)
			count++
			if slices.Contains(publicMembers, kid.name) {
				dst = kid.appendJSON(dst)
			} else {
				dst = append(dst, hidden...)
			}
		}
	}
	return append(dst, '}')
}

// otherChoices reports whether a field belongs only to a choice that the object didn't make. It is
// there by its default.
func otherChoices(n *node, s *Shape, field string) bool {
	made := intendedChoice(n, s.Choices)
	if made >= 0 && s.Choices[made].has(field) {
		return false
	}
	return slices.ContainsFunc(s.Choices, func(c Choice) bool { return c.has(field) })
}

// publicMembers are the members of a JWK (RFC 7517 §4, RFC 7518 §6) that a public key has. Others
// may hold a private key.
var publicMembers = []string{"alg", "crv", "e", "key_ops", "kid", "n", "use", "x", "y"}

func appendComma(dst []byte, index int) []byte {
	if index > 0 {
		dst = append(dst, ',')
	}
	return dst
}

func appendName(dst []byte, index int, n *node) []byte {
	return append(appendText(appendComma(dst, index), n.name), ':')
}
