package keys

import (
	"errors"
	"strconv"
	"strings"

	"gatehouse/core/claims"
	"gatehouse/core/config"
	"gatehouse/core/jwt"
)

// maxDocument bounds an OpenID configuration, bytes.
const maxDocument = 64 << 10

var (
	errDocument = errors.New("not a JSON object")
	errNoURI    = errors.New("its jwks_uri is missing, or is no URI")
)

// discover reads an OpenID configuration (RFC 8414 §2, OpenID Connect Discovery §3) and returns the
// path of the JWK Set. Its issuer must be the provider's (§3.3). Its jwks_uri must have the scheme
// and authority of the document: the cluster leads there and nowhere else.
func discover(remote *config.Remote, issuer string, document []byte) (path string, err error) {
	set, err := claims.Parse(document)
	if err != nil {
		return "", errDocument
	}
	if theirs, _ := set.Get("issuer").Text(); !sameIssuer(issuer, theirs) {
		return "", errors.New("its issuer is " + quote(theirs) + ", and the provider's " + quote(issuer))
	}
	uri, _ := set.Get("jwks_uri").Text()
	origin := remote.URI[:len(remote.URI)-len(remote.Path)]
	path, ok := strings.CutPrefix(uri, origin)
	switch {
	case uri == "":
		return "", errNoURI
	case !ok || !strings.HasPrefix(path, "/"):
		return "", errors.New("its jwks_uri " + quote(uri) + " isn't at " + origin + ": name it as jwks.uri, with a cluster that leads there")
	case len(path) > maxPath || !isTarget(path):
		return "", errNoURI
	}
	return path, nil
}

// maxPath bounds the path of a JWK Set, bytes.
const maxPath = 2048

// isTarget reports whether a path can stand in a request as it is.
func isTarget(path string) bool {
	for i := range len(path) {
		if c := path[i]; c <= ' ' || c > '~' || c == '#' {
			return false
		}
	}
	return true
}

// sameIssuer compares the provider's issuer with the document's. If the provider's has a
// placeholder, so may the document's, by whatever name: Entra ID's common document has {tenantid}.
func sameIssuer(ours, theirs string) bool {
	if ours == theirs {
		return true
	}
	if _, placeholder, _ := jwt.ParseIssuer(ours); !placeholder {
		return false
	}
	a1, _, b1, ok1 := cutPlaceholder(ours)
	a2, name, b2, ok2 := cutPlaceholder(theirs)
	return ok1 && ok2 && a1 == a2 && b1 == b2 && name != "" && !strings.ContainsAny(name, "/{}")
}

func cutPlaceholder(issuer string) (before, name, after string, ok bool) {
	before, rest, ok := strings.Cut(issuer, "{")
	if !ok {
		return "", "", "", false
	}
	name, after, ok = strings.Cut(rest, "}")
	return before, name, after, ok
}

// quote is text of a stranger's for the log.
func quote(s string) string { return strconv.Quote(s[:min(len(s), 256)]) }
