package config

import (
	"strings"

	"gatehouse/core/ascii"
)

// CORS lets pages of other origins read refusals (Fetch §3.3). Without origins it is off.
type CORS struct {
	Origins     []string
	Credentials bool
	Expose      string // the value of access-control-expose-headers
}

// exposed are the headers of refusals that pages may read by default.
var exposed = []string{
	"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit-policy", "ratelimit", "retry-after",
	"www-authenticate", "x-gatehouse-event-id",
}

func (p *parser) cors(root *node) {
	n := root.get("cors")
	if !n.usable() {
		return
	}
	expose := exposed
	if n.has("expose_headers") {
		expose = n.strs("expose_headers")
	}
	p.config.CORS = CORS{Origins: n.strs("allow_origins"), Credentials: n.yes("allow_credentials"), Expose: strings.Join(expose, ", ")}
}

// originFormat is an origin as browsers write it (RFC 6454 §6.2). "null" is none: sandboxed pages
// of anybody's send it.
var originFormat = Format{
	Want:    "an origin: http:// or https://, a host in lower case and, if it isn't the default, a port",
	Pattern: `^https?://[a-z0-9._\[\]:-]+$`,
	ok: func(s string) bool {
		rest, https := strings.CutPrefix(s, "https://")
		if !https {
			var http bool
			if rest, http = strings.CutPrefix(s, "http://"); !http {
				return false
			}
		}
		return rest != "" && every(rest, func(c byte) bool {
			return 'a' <= c && c <= 'z' || ascii.IsDigit(c) || strings.IndexByte("._[]:-", c) >= 0
		})
	},
}
