package caller

// ClaimNames are the claims that this package ever asks for, for whoever has to fetch them one by one. Those that hold
// groups are configured and not among them.
func ClaimNames() []string {
	return []string{
		"acr", "amr", "appid", "auth_time", "azp", "cid", "client_id", "cognito:username", "email", "family_name",
		"given_name", "grant_type", "gty", "idtyp", "iss", "job_id", "kubernetes.io",
		"kubernetes.io/serviceaccount/namespace", "name", "owner", "pipeline_id", "preferred_username", "project_path",
		"repository", "run_id", "scope", "scp", "sid", "sub", "token_use", "type", "upn", "username", "workflow",
	}
}
