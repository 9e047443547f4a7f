// Package caller says whether the bearer of a verified token is a human or a machine, and reads
// identity, scopes and groups from its claims.
package caller

import (
	"slices"

	"gatehouse/core/claims"
)

// Profile is a set of rules that tell humans and machines apart.
type Profile uint8

// The profiles of a provider.
const (
	Auto    Profile = iota // goes by claims that are there, for any issuer
	Cognito                // goes by claims that are absent, as M2MTokenDetector of the Python library
)

// ParseProfile reads the configuration's word.
func ParseProfile(s string) (Profile, bool) {
	switch s {
	case "auto":
		return Auto, true
	case "cognito":
		return Cognito, true
	}
	return 0, false
}

// String is the word that ParseProfile reads.
func (p Profile) String() string {
	if p == Cognito {
		return "cognito"
	}
	return "auto"
}

// Verdict is the kind of a caller and the evidence for it: the name of a rule in docs/m2m.md, "" if
// no rule holds and the caller is Unknown.
type Verdict struct {
	Kind     Kind
	Evidence string
}

// Classify says what kind of caller these claims are of. The first rule that holds decides. The
// claims must come from a verified token.
func Classify(p Profile, c claims.Set) Verdict {
	if p == Cognito {
		return cognito(c)
	}
	return auto(c)
}

// ClientID is the client that the token was issued to: the first of client_id (RFC 9068 §2.2), azp
// (OpenID Connect Core §2; Keycloak, Google, Entra ID v2), appid (Entra ID v1) and cid (Okta) that
// is there. A service token of Cloudflare Access has the client in common_name. It is "" if the
// token names no client.
func ClientID(c claims.Set) string {
	for _, name := range [...]string{"client_id", "azp", "appid", "cid"} {
		if id, ok := c.String(name); ok {
			return id
		}
	}
	if isCloudflareServiceToken(c) {
		id, _ := c.String("common_name")
		return id
	}
	return ""
}

// UserID is the token's subject (RFC 7519 §4.1.2). A machine without a subject has its client's id,
// and then fromClient is true. Another caller without a subject has no user id: it would share the
// id with all other users of the client.
func UserID(c claims.Set, kind Kind) (id string, fromClient bool) {
	switch c.Get("sub").Kind() {
	case claims.String:
		if id, ok := c.String("sub"); ok {
			return id, false
		}
	case claims.Absent, claims.Null:
	default:
		return "", false // a subject of a wrong type, which is refused, is nobody
	}
	if kind == Machine {
		id = ClientID(c)
	}
	return id, id != ""
}

// defaultScopes are the claims of RFC 8693 §4.2 (Istio hands it on as a list), and of Entra ID (a
// string) and Okta (a list).
var defaultScopes = []string{"scope", "scp"}

// Scopes are the scopes granted: those of the first of the named claims that is there.
func Scopes(c claims.Set, names []string) []string {
	for _, name := range names {
		if c.Has(name) {
			return c.Words(name)
		}
	}
	return nil
}

// Groups is the union of the groups in the named claims, in order. A claim is a string, a list of
// strings or, if objects is true, an object: its members whose value is an object with members are
// groups. Zitadel writes roles so, with the organisations that grant the role as value.
func Groups(c claims.Set, names []string, objects bool) []string {
	var out []string
	var seen map[string]struct{} // of more than a few groups
	for _, name := range names {
		groups := c.Strings(name)
		if objects {
			groups = append(groups, grantedIn(c.Get(name))...)
		}
		for _, group := range groups {
			if seen == nil && len(out) == fewGroups {
				seen = make(map[string]struct{}, 2*fewGroups)
				for _, g := range out {
					seen[g] = struct{}{}
				}
			}
			_, dup := seen[group]
			if dup || group == "" || seen == nil && slices.Contains(out, group) {
				continue
			}
			if seen != nil {
				seen[group] = struct{}{}
			}
			if out == nil {
				out = make([]string, 0, len(groups))
			}
			out = append(out, group)
		}
	}
	if len(out) < cap(out)/2 {
		out = slices.Clone(out) // duplicates had room, which would be kept as long as the token
	}
	return out
}

// fewGroups is how many groups are compared each with each. More of them get a map, so that the
// work stays linear.
const fewGroups = 16

// grantedIn are the names of an object's members whose value is an object with members.
func grantedIn(v claims.Value) (names []string) {
	v.EachMember(func(name string, value claims.Value) {
		if value.HasMembers() {
			names = append(names, name)
		}
	})
	return names
}
