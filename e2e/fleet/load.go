package fleet

import (
	"math"
	"math/rand/v2"
)

// Fleet is what is simulated.
type Fleet struct {
	Proxies  int
	Rate     float64 // requests a second, over all proxies
	Callers  int     // the caller of rank r sends in proportion to 1/r (Zipf's law with exponent 1)
	Limit    int     // of each caller in each window, in every proxy and in the service alike
	Window   int64   // nanoseconds
	Replicas int     // of the rate limit service, among which the proxies spread their questions
}

// Large is the fleet of docs/global-limits.md.
var Large = Fleet{Proxies: 1000, Rate: 1e6, Callers: 100_000_000, Limit: 300, Window: 60 * Second, Replicas: 50}

// RedisKeyBytes is what a counter takes in Redis 7 with an expiry and a key of 105 bytes (such as
// an issuer's URL and a UUID make), its share of the tables included. e2e/globallimits measures it.
const RedisKeyBytes = 200

// What a caller and each of its requests take in Gatehouse's shared data, in bytes: see the package
// comment of core/ratelimit. A request takes at most 6.
const (
	identifierBytes = 53
	chargeBytes     = 6
)

// stratum is callers of adjoining ranks, of which sample are simulated, all with the mean rate of
// the stratum.
type stratum struct {
	size, sample int
	rate         float64 // of each, requests a second
}

// strata divides the callers by powers of two. Each has as many in its sample as it takes to see
// enough requests in a window.
func (f Fleet) strata() []stratum {
	const enough = 20_000
	total := harmonic(f.Callers)
	var all []stratum
	for first := 1; first <= f.Callers; first *= 2 {
		last := min(2*first-1, f.Callers)
		s := stratum{size: last - first + 1}
		s.rate = f.Rate * (harmonic(last) - harmonic(first-1)) / total / float64(s.size)
		perCaller := s.rate * float64(f.Window) / float64(Second)
		s.sample = min(s.size, 1+int(enough/perCaller))
		all = append(all, s)
	}
	return all
}

// harmonic is 1 + 1/2 + … + 1/n.
func harmonic(n int) float64 {
	if n < 1000 {
		sum := 0.0
		for i := 1; i <= n; i++ {
			sum += 1 / float64(i)
		}
		return sum
	}
	const gamma = 0.57721566490153286 // Euler's constant
	x := float64(n)
	return math.Log(x) + gamma + 1/(2*x) - 1/(12*x*x)
}

// random returns a new source for each simulation, so that one simulation does not change the
// numbers of another.
func random(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(1, stream)) }

// arrivals calls visit with the moments of a Poisson process of a rate in requests a second, up to
// end.
func arrivals(r *rand.Rand, rate float64, end int64, visit func(now int64)) {
	mean := float64(Second) / rate
	for now := int64(0); ; {
		gap := r.ExpFloat64() * mean
		if gap >= float64(end-now) {
			return
		}
		now += int64(gap)
		visit(now)
	}
}
