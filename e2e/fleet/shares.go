package fleet

// Shares is the result for one caller whose limit is divided among the proxies that it reaches.
type Shares struct {
	Proxies, Share int
	Even, Skewed   float64 // needlessly refused, of its requests; Skewed if half of them go to one proxy
	Most           float64 // what it can get by using every proxy's share, over the limit
}

// Divide simulates a caller that keeps at four fifths of its limit, Poisson, so that the undivided
// limit refuses next to nothing.
func Divide(limit, proxies int, window int64) Shares {
	s := Shares{Proxies: proxies, Share: max(1, limit/proxies)}
	s.Most = float64(s.Share*proxies) / float64(limit)
	s.Even = divided(limit, s.Share, proxies, window, 0)
	s.Skewed = divided(limit, s.Share, proxies, window, 0.5)
	return s
}

// divided returns the share of requests that only the division refuses; favourite is the share of
// requests that are sent to one proxy, and not evenly to all.
func divided(limit, share, proxies int, window int64, favourite float64) float64 {
	const windows = 500
	r := random(uint64(proxies))
	whole := sliding{limit: limit, length: window}
	parts := make([]sliding, proxies)
	for i := range parts {
		parts[i] = sliding{limit: share, length: window}
	}
	requests, needless := 0, 0
	rate := 0.8 * float64(limit) / (float64(window) / float64(Second))
	arrivals(r, rate, windows*window, func(now int64) {
		requests++
		proxy := 0
		if r.Float64() >= favourite {
			proxy = r.IntN(proxies)
		}
		if admitted := parts[proxy].admit(now); whole.admit(now) && !admitted {
			needless++
		}
	})
	return float64(needless) / float64(requests)
}

// Excess is the most that a fixed window admits in any window's length, over the limit.
type Excess struct{ Steady, Bursts float64 }

// FixedExcess simulates callers that ask for half as much again as their limit: one steadily
// (Poisson), one in bursts of the whole limit at moments of its own.
func FixedExcess(limit int, window int64) Excess {
	const windows = 1000
	steady := busiest{window: window}
	service := fixed{limit: limit, length: window}
	arrivals(random(1), 1.5*float64(limit)*float64(Second)/float64(window), windows*window, func(now int64) {
		if service.admit(now) {
			steady.add(now)
		}
	})
	bursts := busiest{window: window}
	service = fixed{limit: limit, length: window}
	arrivals(random(2), 1.5*float64(Second)/float64(window), windows*window, func(now int64) {
		for range limit {
			if service.admit(now) {
				bursts.add(now)
			}
		}
	})
	return Excess{float64(steady.most) / float64(limit), float64(bursts.most) / float64(limit)}
}

// busiest finds the most admissions in any window's length.
type busiest struct {
	window int64
	recent []int64
	most   int
}

func (b *busiest) add(now int64) {
	for len(b.recent) > 0 && now-b.recent[0] >= b.window {
		b.recent = b.recent[1:]
	}
	b.recent = append(b.recent, now)
	b.most = max(b.most, len(b.recent))
}
