package config

import (
	"slices"
	"strconv"

	"gatehouse/core/caller"
	"gatehouse/core/policy"
	"gatehouse/core/ratelimit"
)

// The sizes of the two RateLimit fields together, in bytes. Proxies and clients bound a response's
// headers, many of them at 8 kB.
const (
	maxLimitHeaders  = 8192
	warnLimitHeaders = 4096
)

func (p *parser) limitHeaders(root *node) {
	names := root.strs("limit_headers")
	epoch := slices.Contains(names, "x-ratelimit-epoch")
	if epoch && slices.Contains(names, "x-ratelimit") {
		p.problem(root.get("limit_headers"), `want "x-ratelimit" or "x-ratelimit-epoch", not both: they are the same headers`)
	}
	p.config.LimitHeaders = LimitHeaders{
		XRateLimit: epoch || slices.Contains(names, "x-ratelimit"), Epoch: epoch, RateLimit: slices.Contains(names, "ratelimit"),
	}
}

// checkHeaderSize refuses a route on which one request could meet so many limits that nobody would
// take the response.
func (p *parser) checkHeaderSize(n *node, r *policy.Route) {
	if !p.config.LimitHeaders.RateLimit {
		return
	}
	most := 0
	for _, kind := range caller.Kinds() {
		size := 0
		for _, i := range r.RateLimits {
			if l := &p.config.Limits[i]; !l.Shadow && !l.Hidden && l.Caller.Admits(kind) {
				size += headerSize(l)
			}
		}
		most = max(most, size)
	}
	const remedy = `: give limits "headers": false, or leave "ratelimit" out of limit_headers`
	switch size := strconv.Itoa(most); {
	case most > maxLimitHeaders:
		p.problem(n, "the RateLimit fields of the limits that a request can meet here may have "+size+" bytes, want at most "+
			strconv.Itoa(maxLimitHeaders)+remedy)
	case most > warnLimitHeaders:
		p.warn(n, "the RateLimit fields of the limits that a request can meet here may have "+size+
			" bytes, which some proxies and clients don't take"+remedy)
	}
}

// headerSize is what a limit's windows can take of the two fields.
func headerSize(l *Limit) (size int) {
	for _, w := range l.Windows {
		size += len(`, "-";q=;w=, "-";r=;t=`) + 2*len(l.Name) + 4*secondsSize(w) + 2*len(strconv.FormatUint(w.Max, 10))
	}
	return size
}

func secondsSize(w ratelimit.Window) int { return len(strconv.FormatInt(w.Length/second, 10)) }
