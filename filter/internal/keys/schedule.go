package keys

import (
	"strconv"
	"strings"

	"gatehouse/core/clock"
	"gatehouse/core/config"
)

const second = 1_000_000_000

// maxTimeout is the longest that a configuration lets a fetch take.
const maxTimeout = 60 * second

// Failed fetches are tried again after a second, then after twice as long each time, up to
// maxBackoff; up to maxBackoffWithout while there is no set that may be used, because every request
// waits for it then.
const (
	maxBackoff        = 30 * second
	maxBackoffWithout = 5 * second
)

// schedule says when a provider's set is fetched, and for how long it serves. The record is shared
// by all gates that fetch from the same place; the schedule is the provider's own.
type schedule struct{ remote *config.Remote }

// due reports whether it is time to fetch.
func (s schedule) due(r *record, now clock.Mono) bool {
	switch {
	case r.failures > 0:
		return now >= r.lastAttempt.Add(backoff(r.failures, r.seq > 0 && !s.stale(r, now)))
	case r.seq == 0:
		return true
	}
	return now >= r.fetchedAt.Add(s.interval(r))
}

func backoff(failures uint32, served bool) int64 {
	wait := int64(second) << min(failures-1, 10)
	if served {
		return min(wait, maxBackoff)
	}
	return min(wait, maxBackoffWithout)
}

// interval is how long after a fetch to fetch again: the answer's max-age within
// min_refetch_seconds and refresh_seconds, less up to a tenth, so that a fleet started at once
// doesn't fetch at once for ever.
func (s schedule) interval(r *record) int64 {
	seconds := s.remote.RefreshSeconds
	if r.maxAge != unsaid {
		seconds = min(max(int64(r.maxAge), s.remote.MinRefetchSeconds), seconds)
	}
	chance := int64(r.fetchedAt) / 1000 & 0xff // microseconds: as good as a throw of dice, and the same for all workers
	return seconds * second * (2560 - chance) / 2560
}

// documentDue reports whether a fetch begins with the OpenID configuration: when the set itself is
// due, and the document has served for refresh_seconds (less a tenth, as for the set), or the last
// fetch failed. A token never causes it.
func (s schedule) documentDue(r *record, now clock.Mono) bool {
	if r.path == "" {
		return true
	}
	return s.due(r, now) && (r.failures > 0 || now.Since(r.foundAt) >= s.remote.RefreshSeconds*second*9/10)
}

// refetchable bounds the fetches that unknown key ids cause, however many workers or forged tokens
// ask.
func (s schedule) refetchable(r *record, now clock.Mono) bool {
	return r.lastAttempt == 0 || now.Since(r.lastAttempt) >= s.remote.MinRefetchSeconds*second
}

// stale reports whether a set is too old to be used. The fetch that is due when max_stale_seconds
// have passed gets the time that it may take.
func (s schedule) stale(r *record, now clock.Mono) bool {
	return now.Since(r.fetchedAt) > s.remote.MaxStaleSeconds*second+s.lease()
}

// lease is how long a worker may take for a fetch until another one may try.
func (s schedule) lease() int64 { return s.timeout() + second }

func (s schedule) timeout() int64 { return s.remote.TimeoutSeconds * second }

// maxAge finds max-age in a Cache-Control header (RFC 9111 §5.2.2.1). With no-cache or no-store it
// is as good as absent: Keycloak and Spring send them with all they answer, and mean no fetch every
// few seconds.
func maxAge(header string) int32 {
	age := int32(unsaid)
	for directive := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.Trim(directive, " \t")), "=")
		switch name {
		case "no-store", "no-cache":
			return unsaid
		case "max-age":
			if n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
				age = int32(n)
			}
		}
	}
	return age
}
