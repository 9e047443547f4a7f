package config_test

import "strings"

// refusedPolicies are malformed routes and rate limits.
var refusedPolicies = []malformed{
	// routes
	{withRoutes(`{}`), []string{`routes[0].path: required: want a string of 1..1024 characters`}},
	{withRoutes(`"/**"`), []string{`routes[0]: want an object, got "/**"`}},
	{withRoutes(`{"path":"a"},{"path":"/a/"},{"path":"/a/../b"},{"path":"/a*"},{"path":"/**/b"}`), []string{
		`routes[0].path: want a path that begins with '/', got "a"`,
		`routes[1].path: want no / at the end: /exact also matches /exact/, and /tree/** the tree below, got "/a/"`,
		`routes[2].path: want a path without query, fragment, //, dot segments, \, ; or escapes of / . \ % ; ? #, other bytes than visible ASCII as escapes in UTF-8, got "/a/../b"`,
		`routes[3].path: want * as a whole segment, for any one segment, and ** as the last segment only, for all below, got "/a*"`,
		`routes[4].path: want * as a whole segment, for any one segment, and ** as the last segment only, for all below, got "/**/b"`,
	}},
	{withRoute(`"scope_all":["a"],"scopes":["a"],"zzz":1`), []string{
		`routes[0].scope_all: unknown field, want one of ` + fieldsOf("routes[]") + `; did you mean scopes_all?`,
		`routes[0].scopes: unknown field, want one of ` + fieldsOf("routes[]") + `; did you mean scopes_all?`,
		`routes[0].zzz: unknown field, want one of ` + fieldsOf("routes[]"),
	}},
	{`{"tokens":{"providers":[{` + provider + `}],"resources":[{"identifier":"https://a.example"}]},"routes":[{"path":"/**","name":"Resource-Metadata"}]}`, []string{
		`routes[0].name: "Resource-Metadata" is what metrics call requests for the metadata of tokens.resources`}},
	{withTop("limit_headers", `["x-ratelimit","x-ratelimit-epoch"]`), []string{
		`limit_headers: want "x-ratelimit" or "x-ratelimit-epoch", not both: they are the same headers`}},
	{withTop("limit_headers", `["retry-after"]`), []string{
		`limit_headers[0]: want "x-ratelimit", "x-ratelimit-epoch" or "ratelimit", got "retry-after"`}},
	{withTokens(`"resources":[]`), []string{`tokens.resources: want a list of 1..32, got 0`}},
	{withTokens(`"resources":[{}]`), []string{`tokens.resources[0].identifier: required: want a string of 1..2048 characters, or an object`}},
	{withTokens(`"resources":[{"identifier":"https://a.example/x?y"},{"identifier":"http://a.example/x"},{"identifier":"https://a.example/x#y"},
		{"identifier":"https://u@a.example/"},{"identifier":"a.example/x"},{"identifier":"https:///x"},{"identifier":"http://127.0.0.1.evil.example/"},
		{"identifier":"https://a.example:70000/"}]`), []string{
		`tokens.resources[0].identifier: want a URL https://HOST or https://HOST/PATH without query and fragment (http for a loopback host), got "https://a.example/x?y"`,
		`tokens.resources[1].identifier: want a URL https://HOST or https://HOST/PATH without query and fragment (http for a loopback host), got "http://a.example/x"`,
		`tokens.resources[2].identifier: want a URL https://HOST or https://HOST/PATH without query and fragment (http for a loopback host), got "https://a.example/x#y"`,
		`tokens.resources[3].identifier: want a URL https://HOST or https://HOST/PATH without query and fragment (http for a loopback host), got "https://u@a.example/"`,
		`tokens.resources[4].identifier: want a URL https://HOST or https://HOST/PATH without query and fragment (http for a loopback host), got "a.example/x"`,
		`tokens.resources[5].identifier: want a URL https://HOST or https://HOST/PATH without query and fragment (http for a loopback host), got "https:///x"`,
		`tokens.resources[6].identifier: want a URL https://HOST or https://HOST/PATH without query and fragment (http for a loopback host), got "http://127.0.0.1.evil.example/"`,
		`tokens.resources[7].identifier: want a URL https://HOST or https://HOST/PATH without query and fragment (http for a loopback host), got "https://a.example:70000/"`,
	}},
	{withTokens(`"resources":[{"identifier":"https://a.example/x/../y"},{"identifier":{"hosts":["a:80"],"path":"/%41"}},{"identifier":{"path":"/x"}}]`), []string{
		`tokens.resources[0].identifier: want a path as requests have it once it is decoded, without dot segments, empty segments and escapes`,
		`tokens.resources[1].identifier.hosts[0]: want a host without port and trailing dot: they are ignored when hosts are compared, got "a:80"`,
		`tokens.resources[1].identifier.path: want a path as requests have it once it is decoded, without dot segments, empty segments and escapes`,
		`tokens.resources[2].identifier.hosts: required: want a list of 1..64`,
	}},
	{withTokens(`"resources":[{"identifier":"https://a.example/x"},{"identifier":"https://A.example:443/x/","authorization_servers":[]}]`), []string{
		`tokens.resources[1]: its metadata has the same address as that of tokens.resources[0]`,
		`tokens.resources[1].authorization_servers: want a list of 1..16, got 0`,
	}},
	{`{"tokens":{"providers":[{"name":"m","issuer":"i","audiences":["a"],"algorithms":["RS256"],"jwks":{"cluster":"c","uri":"https://i/k"}}],
		"resources":[{"identifier":"https://a.example"}]},"routes":[{"path":"/**"}]}`, []string{
		`tokens.resources[0].authorization_servers: required: no provider has an https issuer`}},
	{withRoute(`"methods":["get"],"hosts":["a.example:80","*.b.example.","ok.example"]`), []string{
		`routes[0].methods[0]: want a method in upper case, got "get"`,
		`routes[0].hosts[0]: want a host without port and trailing dot: they are ignored when hosts are compared, got "a.example:80"`,
		`routes[0].hosts[1]: want a host without port and trailing dot: they are ignored when hosts are compared, got "*.b.example."`,
	}},
	{withRoute(`"auth":"no","caller":"robot","cors_preflight":"yes","audit":1`), []string{
		`routes[0].auth: want "required", "optional" or "none", got "no"`,
		`routes[0].caller: want "any", "human" or "machine", got "robot"`,
		`routes[0].cors_preflight: want "check" or "pass", got "yes"`,
		`routes[0].audit: want true or false, or "open", got 1`,
	}},
	{withRoute(`"auth":"none","caller":"human","scopes_all":["a"],"scopes_any":["a"],"groups_any":["a"],"claims":{"a":["b"]}`), []string{
		`routes[0].caller: not together with "auth": "none"`,
		`routes[0].scopes_all: not together with "auth": "none"`,
		`routes[0].scopes_any: not together with "auth": "none"`,
		`routes[0].groups_any: not together with "auth": "none"`,
		`routes[0].claims: not together with "auth": "none"`,
	}},
	{withRoute(`"scopes_all":["a b"],"scopes_any":[],"groups_any":[""]`), []string{
		`routes[0].scopes_all[0]: want a scope (RFC 6749 §3.3: visible ASCII without '"' and '\'), got "a b"`,
		`routes[0].scopes_any: want a list of 1..64, got 0`,
		`routes[0].groups_any[0]: want a string of 1..256 characters, got 0`,
	}},
	{withRoute(`"claims":{}`), []string{`routes[0].claims: want an object with 1..16 members, got 0`}},
	{withRoute(`"claims":{"tenant":"a","":["a"],"x.y":[1],"dup":["a"],"dup":["b"]}`), []string{
		`routes[0].claims.tenant: want a list of 1..64, got "a"`,
		`routes[0].claims[""]: want a name of 1..256 characters`,
		`routes[0].claims["x.y"][0]: want a string of 1..1024 characters, got 1`,
		`routes[0].claims.dup: duplicate key`,
	}},
	{withRoute(`"rate_limits":["per-caller"],"cost":0`), []string{
		`routes[0].rate_limits[0]: no limit is named "per-caller"`,
		`routes[0].cost: want 1..1000000000, got 0`,
	}},
	{withRoutes(`{"path":"/a-b"},{"path":"/a.b"},{"path":"/a-b","methods":["POST"]},{"path":"/x","name":"/A_b"},{"path":"/y","name":"None"}`), []string{
		`routes[1].path: "/a.b" is "_a_b" in metrics, and so is routes[0].path: give the route a name`,
		`routes[3].name: "/A_b" is "_a_b" in metrics, and so is routes[0].path`,
		`routes[4].name: "None" is how metrics label the requests of no route`,
	}},
	{withRoutes(strings.Repeat(`{"path":"/a"},`, 1000) + `{"path":"/a"}`), []string{`routes: want a list of 1..1000, got 1001`}},

	// rate_limits
	{withLimit(`"max_requests":100,"window_seconds":0`), []string{`rate_limits[0].window_seconds: want 1..86400, got 0`}},
	{withLimit(`"max_requests":0,"window_seconds":86401`), []string{
		`rate_limits[0].max_requests: want 1..1000000000, got 0`,
		`rate_limits[0].window_seconds: want 1..86400, got 86401`,
	}},
	{withLimit(`"max_requests":100`), []string{`rate_limits[0].window_seconds: required with max_requests`}},
	{withLimit(`"window_seconds":60`), []string{`rate_limits[0].max_requests: required with window_seconds`}},
	{withLimit(`"shadow":true`), []string{`rate_limits[0]: want either max_requests and window_seconds, or windows`}},
	{withLimit(`"max_requests":1,"window_seconds":60,"windows":[{"max_requests":1,"window_seconds":1}]`), []string{`rate_limits[0].windows: not together with max_requests`}},
	{withLimit(`"windows":[{"max_requests":1},{"max_requests":1,"window_seconds":60},{"max_requests":2,"window_seconds":60}]`), []string{
		`rate_limits[0].windows[0].window_seconds: required: want 1..86400`,
		`rate_limits[0].windows[2].window_seconds: want a length that no other window of the limit has`,
	}},
	{withLimit(`"windows":[{"max_requests":1,"window_seconds":1},{"max_requests":1,"window_seconds":2},{"max_requests":1,"window_seconds":3},{"max_requests":1,"window_seconds":4},{"max_requests":1,"window_seconds":5}]`), []string{`rate_limits[0].windows: want a list of 1..4, got 5`}},
	{withLimits(`{"name":"a-b","max_requests":1,"window_seconds":1},{"name":"a.b","max_requests":1,"window_seconds":1},{"name":"a-b","max_requests":1,"window_seconds":1}`), []string{
		`rate_limits[1].name: "a.b" is "a_b" in metrics, and so is rate_limits[0].name`,
		`rate_limits[2].name: the same as rate_limits[0].name`,
	}},
	{withLimits(`{"name":"a","windows":[{"max_requests":1,"window_seconds":1},{"max_requests":2,"window_seconds":60}]},{"name":"a-60","max_requests":1,"window_seconds":1}`), []string{`rate_limits[0].name: the response headers call one of its windows "a-60", which is rate_limits[1]`}},
	{withLimit(`"max_requests":1,"window_seconds":1,"identifier":["user","claim:","header:a b","ip|user_id","user_id||ip",""]`), []string{
		`rate_limits[0].identifier[0]: want user_id, client_id, ip, claim:NAME, header:NAME, route, method, host or global, got "user"`,
		`rate_limits[0].identifier[1]: want user_id, client_id, ip, claim:NAME, header:NAME, route, method, host or global, got "claim:"`,
		`rate_limits[0].identifier[2]: want user_id, client_id, ip, claim:NAME, header:NAME, route, method, host or global, got "header:a b"`,
		`rate_limits[0].identifier[3]: every request has what stands before |user_id: it can never count`,
		`rate_limits[0].identifier[4]: want user_id, client_id, ip, claim:NAME, header:NAME, route, method, host or global, got ""`,
		`rate_limits[0].identifier[5]: want a string of 1..1024 characters, got 0`,
	}},
	{withLimit(`"max_requests":1,"window_seconds":1,"when":"before_auth"`), []string{`rate_limits[0].identifier: required with before_auth: want ip, route, method, host or global, such as ["ip"]`}},
	{withLimit(`"max_requests":1,"window_seconds":1,"when":"before_auth","identifier":["ip","user_id","header:x"],"caller":"human"`), []string{
		`rate_limits[0].identifier[1]: want ip, route, method, host or global with before_auth, got "user_id"`,
		`rate_limits[0].identifier[2]: want ip, route, method, host or global with before_auth, got "header:x"`,
		`rate_limits[0].caller: want "any": before_auth nobody knows the caller`,
	}},
	{withLimit(`"max_requests":1,"window_seconds":1,"ip_prefix_v4":33,"ip_prefix_v6":0,"max_identifiers":0,"on_contention":"maybe","apply":"always","caller":"unknown"`), []string{
		`rate_limits[0].ip_prefix_v4: want 1..32, got 33`,
		`rate_limits[0].ip_prefix_v6: want 1..128, got 0`,
		`rate_limits[0].max_identifiers: want 1..1000000, got 0`,
		`rate_limits[0].on_contention: want "deny" or "allow", got "maybe"`,
		`rate_limits[0].apply: want "everywhere" or "by_name", got "always"`,
		`rate_limits[0].caller: want "any", "human", "machine" or "anonymous", got "unknown"`,
	}},
	{`{` + toks + `,"routes":[{"path":"/a","cost":20},{"path":"/b","cost":20,"rate_limits":["b"],"skip_rate_limits":["a"]},{"path":"/c","cost":20,"auth":"none"}],"rate_limits":[{"name":"a","max_requests":10,"window_seconds":1},{"name":"b","windows":[{"max_requests":30,"window_seconds":1},{"max_requests":19,"window_seconds":2}],"apply":"by_name"}]}`, []string{
		`routes[0].cost: want at most 10, the max_requests of rate_limits[0], got 20`,
		`routes[1].cost: want at most 19, the max_requests of rate_limits[1], got 20`,
	}},
	{withLimits(`{"name":"a","max_requests":1,"window_seconds":1,"identifier":["ip"],"when":"before_auth","claims":{"plan":["free"]}},
		{"name":"b","max_requests":1,"window_seconds":1,"caller":"anonymous","claims":{"plan":["free"]}},
		{"name":"c","max_requests":1,"window_seconds":1,"claims":{"plan":[]}},{"name":"d","max_requests":1,"window_seconds":1,"claims":{"plan":["*"]}}`), []string{
		`rate_limits[0].claims: not together with before_auth: the token's claims aren't known then`,
		`rate_limits[1].claims: not together with "caller": "anonymous": such a caller has no claims`,
		`rate_limits[2].claims.plan: want a list of 1..64, got 0`,
		`rate_limits[3].claims.plan[0]: want a value: "*" is for the claim in braces in a provider's issuer; required_claims asks for any value`,
	}},
	{withRoutes(`{"path":"/a","any_of":[]},{"path":"/b","any_of":[{},{"caller":"robot"},{"scopes":["a"]}]},{"path":"/c","auth":"none","any_of":[{"caller":"human"}]},
		{"path":"/d","caller":"human","groups_any":["g"],"any_of":[{"caller":"human"}]},{"path":"/e","any_of":[` + strings.Repeat(`{"caller":"human"},`, 16) + `{"caller":"human"}]}`), []string{
		`routes[0].any_of: want a list of 1..16, got 0`,
		`routes[1].any_of[0]: want at least one of ` + fieldsOf("routes[].any_of[]"),
		`routes[1].any_of[1].caller: want "any", "human" or "machine", got "robot"`,
		`routes[1].any_of[2].scopes: unknown field, want one of ` + fieldsOf("routes[].any_of[]") + `; did you mean scopes_all?`,
		`routes[2].any_of: not together with "auth": "none"`,
		`routes[3].caller: not together with any_of: put it into each alternative`,
		`routes[3].groups_any: not together with any_of: put it into each alternative`,
		`routes[4].any_of: want a list of 1..16, got 17`,
	}},
	{`{` + toks + `,"routes":[{"path":"/a","rate_limits":["a"],"skip_rate_limits":["a","b","c","x y"]},{"path":"/b","skip_rate_limits":["a","*"]}],
		"rate_limits":[{"name":"a","max_requests":10,"window_seconds":1},{"name":"b","max_requests":10,"window_seconds":1,"apply":"by_name"}]}`, []string{
		`routes[0].skip_rate_limits[0]: not together with routes[0].rate_limits[0]`,
		`routes[0].skip_rate_limits[1]: "b" applies by name only: there is nothing to skip`,
		`routes[0].skip_rate_limits[2]: no limit is named "c"`,
		`routes[0].skip_rate_limits[3]: want letters, digits, '.', '_' and '-', or "*", got "x y"`,
		`routes[1].skip_rate_limits[1]: want "*" alone: it is all limits that apply everywhere`,
	}},

	{withProvider(`"name":"None","issuer":"i","audiences":["a"],"algorithms":["RS256"],"jwks":{"cluster":"c","uri":"https://i/"}`), []string{
		`tokens.providers[0].name: "None" is how metrics label the tokens of no provider`,
	}},
}
