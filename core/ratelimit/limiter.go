package ratelimit

import (
	"encoding/binary"

	"gatehouse/core/ascii"
	"gatehouse/core/clock"
)

// Limiter decides over a Store that it shares with the Limiters of other workers. It belongs to one
// worker and is not used concurrently. Its operations reuse its buffers: none allocates in the
// steady state.
type Limiter struct {
	store      Store
	rules      []rule
	generation string // the key of the generation
	key        []byte // scratch: a bucket's key
	buf        []byte // scratch: a bucket's next value
}

// rule is a Rule with the values derived from it.
type rule struct {
	windows     []window
	fingerprint uint64
	buckets     uint64
	minCost     uint64 // the lowest cost that is charged
	lifetime    int64  // the longest window's length, nanoseconds: a charge of that age has expired
	prefix      []byte // of the keys of its buckets
}

// New returns a Limiter for rules; operations refer to a rule by its index. namespace prefixes
// every key: workers share limits if they use the same namespace. New fails if a field of a Rule is
// out of the range documented there.
func New(store Store, namespace string, rules []Rule) (*Limiter, error) {
	l := &Limiter{
		store:      store,
		rules:      make([]rule, len(rules)),
		generation: namespace + "limits/1/generation",
	}
	for i := range rules {
		if err := rules[i].check(); err != nil {
			return nil, err
		}
		l.rules[i] = newRule(&rules[i], namespace)
	}
	return l, nil
}

func newRule(config *Rule, namespace string) rule {
	r := rule{buckets: uint64(config.MaxIdentifiers+bucketShare-1) / bucketShare, minCost: max(config.MinCost, 1)}
	text := appendText(nil, config.Name)
	text = appendText(text, config.KeyedBy)
	text = binary.LittleEndian.AppendUint64(text, r.buckets)
	for _, c := range config.Windows {
		w := newWindow(c)
		r.windows = append(r.windows, w)
		r.lifetime = max(r.lifetime, w.length)
		text = binary.LittleEndian.AppendUint64(text, w.max)
		text = binary.LittleEndian.AppendUint64(text, uint64(w.length))
	}
	// This hash only tells configurations apart, so its key needs no secret.
	sum := NewHasher([16]byte{}).Sum(text)
	r.fingerprint = binary.LittleEndian.Uint64(sum[:])
	r.prefix = append(ascii.AppendHex([]byte(namespace+"limits/1/"), r.fingerprint), '/')
	return r
}

// Charge admits or refuses cost (0 counts as 1) for id under a rule, and records an admitted
// charge. A refused charge counts nothing. Charge reads
// the generation and the bucket, and writes the bucket once if it admits.
//
// If id is new and every entry of its bucket has reached its limit, the charge is admitted without
// being recorded, and counted in Evicted: to evict one of those entries would let its owner exceed
// the limit.
func (l *Limiter) Charge(rule int, id ID, cost uint64, at clock.Mono, out *Result) {
	r := &l.rules[rule]
	now := max(int64(at), 0)
	cost = max(cost, 1)
	var f found
	failed := false
	for range Tries {
		if failed = l.load(r, id, now, &f) != nil; failed {
			break
		}
		*out = Result{N: len(r.windows), Evicted: f.damaged}
		if !r.decide(&f, cost, now, out) {
			return
		}
		done, err := l.record(r, &f, cost, now, out)
		if done {
			return
		}
		if failed = err != nil; failed {
			break
		}
	}
	*out = Result{Contention: !failed, Failed: failed, N: len(r.windows), Windows: out.Windows}
	for i := range r.windows {
		out.Windows[i].Limit = r.windows[i].max
	}
}

// Peek returns what Charge would decide: Admitted and Retry for the cost, and Windows as they are
// then, before the charge. It writes nothing. The error is the store's.
func (l *Limiter) Peek(rule int, id ID, cost uint64, at clock.Mono, out *Result) error {
	r := &l.rules[rule]
	now := max(int64(at), 0)
	*out = Result{N: len(r.windows)}
	var f found
	if err := l.load(r, id, now, &f); err != nil {
		return err
	}
	out.Admitted = r.decide(&f, max(cost, 1), now, out)
	return nil
}

// decide fills in out with the figures before the charge, and reports whether cost fits.
func (r *rule) decide(f *found, cost uint64, now int64, out *Result) bool {
	fits := true
	for i := range r.windows {
		w, s := &r.windows[i], &f.states[i]
		out.Windows[i] = w.report(s, now)
		if cost > w.max || s.total > w.max-cost {
			fits = false
			out.Retry = max(out.Retry, w.fits(s, f.bucket.clock, cost)-now)
		}
	}
	return fits
}

// record writes the charge, which fits. done is false if another worker wrote the bucket first.
func (l *Limiter) record(r *rule, f *found, cost uint64, now int64, out *Result) (done bool, err error) {
	k := &f.bucket
	if !f.exists {
		f.birth = k.births
		k.births++
	}
	buf := r.appendOthers(l.buf[:0], k, f.tag, nil)
	if buf[3] == bucketEntries {
		v, live, full := r.victim(k)
		if live {
			out.Evicted++
		}
		if full {
			l.buf = buf
			out.Admitted = true
			return true, nil
		}
		buf = r.appendOthers(buf[:0], k, f.tag, &v)
	}
	from := len(buf)
	buf = appendEntry(buf, f.tag, f.birth, k.clock)
	for i := range r.windows {
		w, s := &r.windows[i], &f.states[i]
		start := len(buf)
		var ok bool
		if buf, ok = w.appendCharged(buf, s, k.clock, cost); !ok { // damaged behind its header: start empty
			*s = state{}
			buf = w.appendLogCharged(buf[:start], s, k.clock, cost)
			out.Evicted++
		}
	}
	finishEntry(buf, from)
	l.buf = buf
	done, err = l.store.CompareAndSet(f.key, buf, f.version)
	if !done || err != nil {
		return false, err
	}
	for i := range r.windows {
		out.Windows[i] = r.windows[i].report(&f.states[i], now)
	}
	out.Admitted = true
	out.recorded, out.recordedAt, out.birth = true, k.clock, f.birth
	return true, nil
}
