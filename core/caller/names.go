package caller

// ClaimNames lists the claims that this package reads, for a caller that can only fetch claims one by one.
// It doesn't list the claims with groups: the configuration names those.
func ClaimNames() []string {
	return []string{
		"acr", "amr", "appid", "auth_time", "azp", "cid", "clientAddress", "clientHost", "client_id",
		"cognito:username", "common_name", "email", "family_name",
		"given_name", "grant_type", "gty", "idtyp", "iss", "job_id", "jti", "kubernetes.io",
		"kubernetes.io/serviceaccount/namespace", "name", "owner", "pipeline_id", "preferred_username", "project_path",
		"repository", "run_id", "scope", "scp", "sid", "sub", "token_use", "type", "upn", "username", "workflow",
	}
}
