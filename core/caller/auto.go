package caller

import "gatehouse/core/claims"

// rule is one rule of the auto profile: if holds, the caller is of this kind.
type rule struct {
	kind     Kind
	evidence string // the rule's name in docs/m2m.md and in audit events
	holds    func(c claims.Set, sub string) bool
}

// autoRules ask for positive evidence. An absent claim proves nothing: an access token of a human
// (RFC 9068) needs no e-mail. Machines come first, because tokens of service accounts have claims
// of humans: Google's an e-mail, Keycloak's a user name, Cognito's and PingAM's auth_time. The
// rules for unknown are for tokens in which such claims say nothing. docs/m2m.md lists all rules
// with their sources, and a test compares the two lists.
var autoRules = [...]rule{
	{Machine, "auth0-gty", func(c claims.Set, _ string) bool { return is(c, "gty", "client-credentials") }},
	{Machine, "auth0-clients-subject", func(_ claims.Set, sub string) bool { return hasSuffix(sub, "@clients") }},
	{Machine, "keycloak-service-account", func(c claims.Set, _ string) bool { return isOwnServiceAccount(c) }},
	{Machine, "keycloak-client-credentials", func(c claims.Set, _ string) bool { return keycloakGrant(c) == "cc" }},
	{Machine, "entra-idtyp", func(c claims.Set, _ string) bool { return is(c, "idtyp", "app") }},
	{Machine, "okta-cid-subject", func(c claims.Set, sub string) bool { return is(c, "cid", sub) }},
	{Machine, "client-id-subject", func(c claims.Set, sub string) bool { return is(c, "client_id", sub) }},
	{Machine, "azp-subject", func(c claims.Set, sub string) bool { return is(c, "azp", sub) }},
	{Machine, "google-service-account", isGoogleServiceAccount},
	{Machine, "kubernetes-service-account", isKubernetesServiceAccount},
	{Machine, "github-actions", func(c claims.Set, _ string) bool { return hasAll(c, "repository", "workflow", "run_id") }},
	{Machine, "gitlab-ci", func(c claims.Set, _ string) bool { return hasAll(c, "project_path", "pipeline_id", "job_id") }},
	{Machine, "spiffe", func(_ claims.Set, sub string) bool { return isSPIFFE(sub) }},
	{Machine, "authentik-client-credentials", func(c claims.Set, _ string) bool { return isAuthentikClient(c) }},
	{Machine, "pingam-client-credentials", func(c claims.Set, _ string) bool { return is(c, "grant_type", "client_credentials") }},
	{Machine, "casdoor-application", isCasdoorApplication},
	{Machine, "cloudflare-access-service-token", func(c claims.Set, _ string) bool { return isCloudflareServiceToken(c) }},

	{Unknown, "keycloak-other-service-account", func(c claims.Set, _ string) bool { return isServiceAccount(c) }},
	{Machine, "keycloak-client-address", func(c claims.Set, _ string) bool { return hasAll(c, "clientHost") || hasAll(c, "clientAddress") }},
	{Unknown, "authentik-without-session", func(c claims.Set, _ string) bool { return isAuthentik(c) && !hasAll(c, "sid") }},

	{Human, "email", hasText("email")},
	{Human, "name", hasText("name")},
	{Human, "given_name", hasText("given_name")},
	{Human, "family_name", hasText("family_name")},
	{Human, "preferred_username", hasText("preferred_username")},
	{Human, "cognito:username", hasText("cognito:username")},
	{Human, "auth_time", func(c claims.Set, _ string) bool { return isAfter1970(c, "auth_time") }},
	{Human, "amr", func(c claims.Set, _ string) bool { return len(c.Strings("amr")) > 0 }},
	{Human, "upn", hasText("upn")},
	{Human, "auth0-user-subject", func(_ claims.Set, sub string) bool { return isAuth0User(sub) }},
	{Human, "keycloak-user-grant", func(c claims.Set, _ string) bool { return isUserGrant(keycloakGrant(c)) }},
}

// There is no rule for sid: Keycloak gives a session to clients that use refresh tokens, too.

// auto applies autoRules. A claim whose JSON type is not that of its specification is no evidence.
func auto(c claims.Set) Verdict {
	sub, _ := c.String("sub")
	for i := range autoRules {
		if autoRules[i].holds(c, sub) {
			return Verdict{autoRules[i].kind, autoRules[i].evidence}
		}
	}
	return Verdict{}
}

// isServiceAccount recognises the user name that Keycloak gives to the service account of a client.
// Token exchange can put that name into another client's token: then neither the name nor the
// session in the token says who is calling.
func isServiceAccount(c claims.Set) bool {
	_, ok := serviceAccountOf(c)
	return ok
}

// isOwnServiceAccount recognises the service account of the client that the token was issued to.
// Keycloak keeps user names in lower case, but client ids as they were entered.
func isOwnServiceAccount(c claims.Set) bool {
	account, ok := serviceAccountOf(c)
	if !ok {
		return false
	}
	for _, name := range [...]string{"client_id", "azp"} {
		if client, ok := c.String(name); ok && equalFold(account, client) {
			return true
		}
	}
	return false
}

func serviceAccountOf(c claims.Set) (client string, ok bool) {
	const prefix = "service-account-"
	name, _ := c.String("preferred_username")
	if !hasPrefix(name, prefix) {
		return "", false
	}
	return name[len(prefix):], true
}

// keycloakGrant is the short name of the grant that Keycloak 26.2 and later write into jti, "" if
// there is none: "trrtcc:" and an id, of two letters each for the session, the kind of token and
// the grant.
func keycloakGrant(c claims.Set) string {
	jti, _ := c.String("jti")
	if len(jti) <= 7 || jti[6] != ':' {
		return ""
	}
	switch jti[:2] {
	case "on", "of", "tr", "nt", "ft": // online, offline, transient, and the latter two with a transient client session
	default:
		return ""
	}
	switch jti[2:4] {
	case "rt", "lt": // regular, lightweight
		return jti[4:6]
	}
	return ""
}

// isUserGrant reports whether a grant of Keycloak begins with a human who logs in: authorization
// code, device and CIBA. The password grant is not among them: scripts use it with the account of a
// human.
func isUserGrant(short string) bool { return short == "ac" || short == "dg" || short == "ci" }

// isGoogleServiceAccount goes by the domain of the e-mail where Google is the issuer, or of the
// issuer where the account signed the token itself. Other issuers let humans choose their e-mail.
func isGoogleServiceAccount(c claims.Set, sub string) bool {
	const domain = ".gserviceaccount.com"
	iss, _ := c.String("iss")
	switch iss {
	case "https://accounts.google.com", "accounts.google.com", "https://cloud.google.com/iap":
		email, _ := c.String("email")
		return hasSuffix(email, domain)
	}
	return iss == sub && hasSuffix(sub, domain)
}

// isKubernetesServiceAccount goes by the form of the subject and by a claim that only an API server
// writes: an object in bound tokens, a flat name in tokens from Secrets.
func isKubernetesServiceAccount(c claims.Set, sub string) bool {
	if !hasPrefix(sub, "system:serviceaccount:") {
		return false
	}
	return c.Get("kubernetes.io").Kind() == claims.Object || hasAll(c, "kubernetes.io/serviceaccount/namespace")
}

// isSPIFFE recognises a SPIFFE ID (SPIFFE-ID §2): a trust domain, and optionally a path.
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
	return true
}

// isAuthentik recognises authentik's tokens by their acr. They have auth_time, and with the scope
// "profile" names, for humans and machines alike. Only the session of a browser (sid) says human.
func isAuthentik(c claims.Set) bool {
	acr, _ := c.String("acr")
	return hasPrefix(acr, "goauthentik.io/")
}

// isAuthentikClient recognises the account that authentik generates for a client that authenticates
// with its own secret.
func isAuthentikClient(c claims.Set) bool {
	name, _ := c.String("preferred_username")
	return isAuthentik(c) && !hasAll(c, "sid") && hasPrefix(name, "ak-") && hasSuffix(name, "-client_credentials")
}

// isCasdoorApplication recognises the user that Casdoor makes for a client. The user has the name
// and the id of the application.
func isCasdoorApplication(c claims.Set, sub string) bool {
	owner, hasOwner := c.String("owner")
	name, hasName := c.String("name")
	return is(c, "type", "application") && hasOwner && hasName && sub == owner+"/"+name
}

// isCloudflareServiceToken recognises the JWT that Cloudflare Access makes for a service token: it
// names the service token in common_name and has no user.
func isCloudflareServiceToken(c claims.Set) bool {
	return hasAll(c, "common_name") && !c.Has("email") && !hasAll(c, "sub")
}

// isAuth0User recognises the subject that Auth0 gives to users: the connection, a bar and the
// user's id there.
func isAuth0User(sub string) bool {
	for i, c := range []byte(sub) {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-':
		default:
			return c == '|' && i > 0 && i+1 < len(sub)
		}
	}
	return false
}

// isAfter1970 reports whether a claim is a date after the epoch. Issuers write 0 for a login that
// never was.
func isAfter1970(c claims.Set, name string) bool {
	date, ok := c.Date(name)
	return ok && date > 0
}

// is reports whether a claim is the text want, which must not be empty.
func is(c claims.Set, name, want string) bool {
	text, ok := c.String(name)
	return ok && text == want
}

func hasText(name string) func(claims.Set, string) bool {
	return func(c claims.Set, _ string) bool { return hasAll(c, name) }
}

// hasAll reports whether all these claims are strings that are not empty.
func hasAll(c claims.Set, names ...string) bool {
	for _, name := range names {
		if _, ok := c.String(name); !ok {
			return false
		}
	}
	return true
}

// hasPrefix reports whether s is the prefix and at least one more byte.
func hasPrefix(s, prefix string) bool { return len(s) > len(prefix) && s[:len(prefix)] == prefix }

// hasSuffix reports whether s is at least one byte and the suffix.
func hasSuffix(s, suffix string) bool {
	return len(s) > len(suffix) && s[len(s)-len(suffix):] == suffix
}

// equalFold compares without the case of ASCII letters.
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
