package caller

import "gatehouse/core/claims"

// The evidence of the auto profile: each names a rule, in the order in which they are tried. docs/m2m.md lists them
// with their sources.
const (
	evidenceAuth0Grant      = "auth0-gty"
	evidenceAuth0Subject    = "auth0-clients-subject"
	evidenceKeycloak        = "keycloak-service-account"
	evidenceEntra           = "entra-idtyp"
	evidenceOkta            = "okta-cid-subject"
	evidenceClientIDSubject = "client-id-subject"
	evidenceAzpSubject      = "azp-subject"
	evidenceGoogle          = "google-service-account"
	evidenceKubernetes      = "kubernetes-service-account"
	evidenceGitHub          = "github-actions"
	evidenceGitLab          = "gitlab-ci"
	evidenceSPIFFE          = "spiffe"
	evidenceAuth0User       = "auth0-user-subject"
)

// auto asks for positive evidence, for machines first: what is absent proves nothing (an RFC 9068 access token of a
// human needs no e-mail), and service accounts may carry claims about a user (Google's an e-mail, Keycloak's a name).
func auto(c claims.Set) Verdict {
	if evidence := machine(c); evidence != "" {
		return Verdict{Machine, evidence}
	}
	if evidence := human(c); evidence != "" {
		return Verdict{Human, evidence}
	}
	return Verdict{}
}

func machine(c claims.Set) string {
	sub, _ := c.String("sub")
	switch {
	case is(c, "gty", "client-credentials"):
		return evidenceAuth0Grant
	case hasSuffix(sub, "@clients"):
		return evidenceAuth0Subject
	case isKeycloakServiceAccount(c):
		return evidenceKeycloak
	case is(c, "idtyp", "app"):
		return evidenceEntra
	case sub != "" && is(c, "cid", sub):
		return evidenceOkta
	case sub != "" && is(c, "client_id", sub):
		return evidenceClientIDSubject
	case sub != "" && is(c, "azp", sub):
		return evidenceAzpSubject
	case isGoogleServiceAccount(c, sub):
		return evidenceGoogle
	case isKubernetesServiceAccount(c, sub):
		return evidenceKubernetes
	case hasAll(c, "repository", "workflow", "run_id"):
		return evidenceGitHub
	case hasAll(c, "project_path", "pipeline_id", "job_id"):
		return evidenceGitLab
	case isSPIFFE(sub):
		return evidenceSPIFFE
	}
	return ""
}

// human tries the rules in order; a claim of another JSON type than its specification's is no evidence.
func human(c claims.Set) string {
	if isForeignServiceAccount(c) {
		return ""
	}
	for _, name := range [...]string{"email", "name", "given_name", "family_name", "preferred_username", "cognito:username"} {
		if _, ok := c.String(name); ok {
			return name
		}
	}
	if c.Get("auth_time").Kind() == claims.Number {
		return "auth_time"
	}
	if _, ok := c.String("sid"); ok {
		return "sid"
	}
	if len(c.Strings("amr")) > 0 {
		return "amr"
	}
	if _, ok := c.String("upn"); ok {
		return "upn"
	}
	if sub, _ := c.String("sub"); hasPrefix(sub, "auth0|") {
		return evidenceAuth0User
	}
	return ""
}

// keycloakPrefix begins the user name that Keycloak gives a client's service account.
const keycloakPrefix = "service-account-"

// isKeycloakServiceAccount wants the client's own service account: Keycloak keeps user names in lower case, client ids
// as they were entered.
func isKeycloakServiceAccount(c claims.Set) bool {
	name, _ := c.String("preferred_username")
	if !hasPrefix(name, keycloakPrefix) {
		return false
	}
	id := name[len(keycloakPrefix):]
	for _, claim := range [...]string{"client_id", "azp"} {
		if client, ok := c.String(claim); ok && equalFold(id, client) {
			return true
		}
	}
	return false
}

// isForeignServiceAccount sees a Keycloak service account in another client's token, as token exchange makes them. It
// has a user name and perhaps a session, but nobody sits behind it for sure.
func isForeignServiceAccount(c claims.Set) bool {
	name, _ := c.String("preferred_username")
	return hasPrefix(name, keycloakPrefix)
}

// isGoogleServiceAccount trusts the e-mail's domain only where Google vouches for it, or where the account signed the
// token itself.
func isGoogleServiceAccount(c claims.Set, sub string) bool {
	const domain = ".gserviceaccount.com"
	iss, _ := c.String("iss")
	if iss == "https://accounts.google.com" || iss == "accounts.google.com" {
		email, _ := c.String("email")
		return hasSuffix(email, domain)
	}
	return iss == sub && hasSuffix(sub, domain)
}

// isKubernetesServiceAccount wants the subject's form and the claims that only an API server writes: an object in
// bound tokens, flat names in legacy ones.
func isKubernetesServiceAccount(c claims.Set, sub string) bool {
	if !hasPrefix(sub, "system:serviceaccount:") {
		return false
	}
	return c.Get("kubernetes.io").Kind() == claims.Object || hasAll(c, "kubernetes.io/serviceaccount/namespace")
}

// isSPIFFE reads a SPIFFE ID (SPIFFE-ID §2): a trust domain, and a path.
func isSPIFFE(sub string) bool {
	const scheme = "spiffe://"
	if !hasPrefix(sub, scheme) {
		return false
	}
	for i, c := range []byte(sub[len(scheme):]) {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '.', c == '-', c == '_':
		default:
			return c == '/' && i > 0
		}
	}
	return len(sub) > len(scheme)
}

func is(c claims.Set, name, want string) bool {
	text, ok := c.String(name)
	return ok && text == want
}

func hasAll(c claims.Set, names ...string) bool {
	for _, name := range names {
		if _, ok := c.String(name); !ok {
			return false
		}
	}
	return true
}

func hasPrefix(s, prefix string) bool { return len(s) > len(prefix) && s[:len(prefix)] == prefix }

func hasSuffix(s, suffix string) bool {
	return len(s) > len(suffix) && s[len(s)-len(suffix):] == suffix
}

func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}
