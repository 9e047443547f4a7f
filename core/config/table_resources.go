package config

import "gatehouse/core/policy"

// MaxResources bounds tokens.resources.
const MaxResources = 32

var resource = Shape{Type: Object, Fields: []Field{
	{Name: "identifier", Required: true, Shape: &Shape{Type: Either, Either: []*Shape{
		{Type: Text, Min: 1, Max: 2048, Format: &resourceFormat},
		&resourceOnHosts,
	}}, Doc: "The resource's identifier (RFC 9728 §1.2): an `https` URL without query and fragment (`http` for a loopback host); or, where the gate is reached under several names, hosts and a path: then the authority is the request's."},
	{Name: "scopes", Shape: &scopes,
		Doc: "The scopes that clients should ask for: the document's `scopes_supported`."},
	{Name: "authorization_servers", Shape: &Shape{Type: List, Min: 1, Max: 16, Unique: true,
		Element: &Shape{Type: Text, Min: 1, Max: 2048, Format: &resourceFormat}},
		Doc: "The issuers that clients may go to. By default the providers' `https` issuers."},
}}

var resourceOnHosts = Shape{Type: Object, Fields: []Field{
	{Name: "hosts", Required: true, Shape: &Shape{Type: List, Min: 1, Max: 64, Unique: true,
		Element: &Shape{Type: Text, Min: 1, Max: int64(len("*.")) + policy.MaxHostBytes}},
		Doc: "Hosts, as in routes."},
	{Name: "path", Default: `"/"`, Shape: &Shape{Type: Text, Min: 1, Max: policy.MaxPatternBytes, Format: &pathFormat},
		Doc: "The identifier's path."},
}}

var resourceFormat = Format{
	Want:    "a URL https://HOST or https://HOST/PATH without query and fragment (http for a loopback host)",
	Pattern: `^(https://[!"$-.0->@-~]|http://(localhost|127\.[0-9.]+|\[::1\])(:[0-9]+)?(/|$))[!"$->@-~]*$`,
	ok:      isResourceURL,
}
