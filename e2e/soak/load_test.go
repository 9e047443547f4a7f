package soak_test

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// load sends a mix of requests at a rate that can be changed while it runs.
type load struct {
	gate       string
	rec        *record
	identities []*identity
	bad        []badToken
	seed       uint64

	rate     atomic.Int64 // requests a second
	statuses [600]atomic.Int64
	failed   atomic.Pointer[error] // of minting a token
}

// connections bounds the requests that are under way. Some wait long: for keys, and for slow
// upstreams.
const connections = 160

// addresses is how many addresses the clients have.
const addresses = 40

// run sends until the context ends, and returns when all answers have come.
func (l *load) run(ctx context.Context) {
	jobs := make(chan struct{}, connections)
	var clients sync.WaitGroup
	for n := range connections {
		clients.Go(func() {
			random := rand.New(rand.NewPCG(l.seed, uint64(n)))
			c := &client{gate: l.gate, source: "127.0.1." + strconv.Itoa(1+n%addresses)}
			defer c.end()
			if n%4 == 3 {
				c.overHTTP2()
			}
			for range jobs {
				l.one(c, random)
			}
		})
	}
	const step = 10 * time.Millisecond
	tick := time.NewTicker(step)
	defer tick.Stop()
	owed := 0.0
	for ctx.Err() == nil {
		<-tick.C
		for owed += float64(l.rate.Load()) * step.Seconds(); owed >= 1; owed-- {
			select {
			case jobs <- struct{}{}:
			default: // all clients are busy: what is owed is forgotten
			}
		}
	}
	close(jobs)
	clients.Wait()
}

// heavy is how many identities send a quarter of all requests, far beyond their limits.
const heavy = 12

// one sends one request.
func (l *load) one(c *client, random *rand.Rand) {
	r := l.draw(random)
	if r == nil {
		return
	}
	id := l.rec.id()
	header := append(r.header, idHeader, strconv.Itoa(id), "user-agent", "soak")
	if r.token != "" {
		header = append(header, "authorization", "Bearer "+r.token)
	}
	leaves, delay := stays, time.Duration(0)
	chance := random.IntN(60)
	if strings.HasPrefix(r.target, "/quiet/") {
		chance = -1 // without an event, only a whole answer tells what the gate decided
	}
	switch chance {
	case 0:
		leaves = leavesAtOnce
	case 1, 2:
		leaves, delay = leavesLater, time.Duration(random.IntN(60_000))*time.Microsecond
	case 3:
		if random.IntN(5) == 0 {
			leaves = leavesWithinHeaders
		}
	}
	body := ""
	if r.method == "POST" {
		body = strings.Repeat("x", random.IntN(2000))
		header = append(header, "content-length", strconv.Itoa(len(body)))
	}
	a := c.do(r.method, r.target, header, body, leaves, delay)
	l.statuses[a.status].Add(1)
	if r.who != nil && a.status != 0 {
		r.who.answered(a.status)
	}
	flags := r.flags
	if leaves != stays {
		flags += "l"
	}
	l.rec.request(line(id, r.number, r.method, r.target, flags, &a))
}

// request is what is sent. flags tell the checker what the method and the target don't: o has an
// origin that pages may read from, O another origin, p is a preflight, g is a gRPC request; l says
// that the client leaves.
type request struct {
	method, target, flags string
	header                []string
	token                 string
	number                int // the token's; -1 without one
	who                   *identity
}

// draw chooses a request; nil if a token can't be minted, which ends the test.
func (l *load) draw(random *rand.Rand) *request {
	r := &request{method: "GET", number: -1}
	switch n := random.IntN(100); {
	case n < 25:
		r.who = l.identities[random.IntN(heavy)]
	case n < 80:
		r.who = l.identities[random.IntN(len(l.identities))]
	case n < 88:
		bad := l.bad[random.IntN(len(l.bad))]
		r.token, r.number = bad.text, bad.number
	}
	if r.who != nil {
		var err error
		if r.token, r.number, err = r.who.current(l.rec, random); err != nil {
			l.failed.Store(&err)
			return nil
		}
	}
	r.target = l.target(random, r.number < 0)
	if strings.HasPrefix(r.target, "/batch/") && random.IntN(8) > 0 {
		r.method = "POST"
	}
	r.dress(random)
	return r
}

// target chooses a path and what the upstream is asked to do.
func (l *load) target(random *rand.Rand, anonymous bool) string {
	if anonymous && random.IntN(3) > 0 {
		return pick(random, "/public/news", "/public/help", "/members/list", "/login", "/health") + wish(random)
	}
	switch n := random.IntN(100); {
	case n < 30:
		return "/api/orders/" + strconv.Itoa(random.IntN(50)) + wish(random)
	case n < 40:
		return "/account/me" + wish(random)
	case n < 47:
		return "/batch/run" + wish(random)
	case n < 54:
		return "/reports/" + pick(random, "daily", "weekly") + wish(random)
	case n < 60:
		return "/tenants/" + pick(random, "a", "b", "x") + "/orders" + wish(random)
	case n < 65:
		return "/exports/" + pick(random, "csv", "json") + wish(random)
	case n < 73:
		return "/search?q=x"
	case n < 78:
		return "/flip/coin" + wish(random)
	case n < 80:
		return "/unlimited/x" + wish(random)
	case n < 82:
		return "/quota/x"
	case n < 85:
		return "/login"
	case n < 88:
		return "/quiet/place" + wish(random)
	case n < 90:
		return "/health"
	case n < 93:
		return "/cross/origin"
	case n < 95:
		return pick(random, "/api/../account/me", "/api//x", "/api/%2e%2e/x", "/api/x;y", "/api/a%2fb", "/api/%zz", `/api\x`)
	case n < 97:
		return pick(random, "/nowhere", "/tenants/a/b/orders", "/accounts")
	}
	return pick(random, "/public/x", "/members/x") + wish(random)
}

// wish is the query that tells the upstream what to do.
func wish(random *rand.Rand) string {
	switch n := random.IntN(100); {
	case n < 3:
		return "?reset=1"
	case n < 6:
		return "?status=" + pick(random, "404", "500", "503", "204")
	case n < 9:
		return "?delay=" + strconv.Itoa(1+random.IntN(80)) + "ms"
	case n < 10:
		return "?delay=" + strconv.Itoa(200+random.IntN(400)) + "ms"
	case n < 14:
		return customEvent
	case n < 15:
		return unreadableEvent
	}
	return ""
}

// The queries for which the upstream reports an event of its own, and one that can't be read.
const (
	customEvent     = "?audit_event=%7B%22event_type%22%3A%22refund%22%2C%22order%22%3A17%7D"
	unreadableEvent = "?audit_event=%7B%22event_type%22%3A%22auth_success%22%7D"
)

// dress adds what makes requests differ beyond method and target.
func (r *request) dress(random *rand.Rand) {
	switch random.IntN(40) {
	case 0:
		r.header, r.flags = append(r.header, "content-type", "application/grpc"), "g"
	case 1, 2:
		r.header, r.flags = append(r.header, "origin", "https://app.example"), "o"
	case 3:
		r.header, r.flags = append(r.header, "origin", "https://evil.example"), "O"
	case 4, 5:
		r.method, r.flags = "OPTIONS", "op"
		r.header = append(r.header, "origin", "https://app.example", "access-control-request-method", "GET")
	case 6:
		r.header = append(r.header, "x-gatehouse-user-id", spoofed, "x_gatehouse_caller", "human")
	}
}
