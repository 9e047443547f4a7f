package ratelimit

import (
	"encoding/binary"

	"gatehouse/core/ascii"
)

// Limiter decides over a Store that it shares with other workers' Limiters. It belongs to one worker and is not used
// concurrently. Its operations reuse its buffers: none allocates in the steady state.
type Limiter struct {
	store      Store
	rules      []rule
	generation string // the key of the generation
	key        []byte // scratch: a bucket's key
	buf        []byte // scratch: a bucket's next value
}

// rule is a Rule with what follows from it.
type rule struct {
	windows     []window
	fingerprint uint64
	buckets     uint64
	cheapest    uint64 // the least cost
	lifetime    int64  // the longest window's nanoseconds: a charge of that age need not count any more
	prefix      []byte // of its buckets' keys
}

// New returns a Limiter for rules, which operations refer to by index. namespace prefixes every key; all workers that are to share
// limits use the same one. It fails if a Rule's fields are out of the ranges documented there.
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
	r := rule{buckets: uint64(config.MaxIdentifiers+bucketShare-1) / bucketShare, cheapest: max(config.Cheapest, 1)}
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
	// The key is no secret: this hash only tells configurations apart, and not adversaries'.
	sum := NewHasher([16]byte{}).Sum(text)
	r.fingerprint = binary.LittleEndian.Uint64(sum[:])
	r.prefix = append(ascii.AppendHex([]byte(namespace+"limits/1/"), r.fingerprint), '/')
	return r
}

// Charge admits or refuses cost (0 counts as 1) for id under a rule, at now on the monotonic clock, in nanoseconds, and records an
// admitted one. A refused one weighs nothing. It reads the generation and the bucket, and writes the bucket once if it admits.
//
// A caller who comes when all entries of its bucket have reached their limit is admitted without being recorded, and counted
// in Evicted: forgetting one of them instead would free it.
func (l *Limiter) Charge(rule int, id ID, cost uint64, now int64, out *Result) {
	r := &l.rules[rule]
	now = max(now, 0)
	cost = max(cost, 1)
	var f found
	for range Tries {
		if l.load(r, id, now, &f) != nil {
			break
		}
		*out = Result{N: len(r.windows), Evicted: f.damaged}
		if !r.judge(&f, cost, now, out) {
			return
		}
		done, err := l.record(r, &f, cost, now, out)
		if done {
			return
		}
		if err != nil {
			break
		}
	}
	*out = Result{Contention: true, N: len(r.windows), Windows: out.Windows}
	for i := range r.windows {
		out.Windows[i].Limit = r.windows[i].max
	}
}

// Peek tells what Charge would answer: Admitted and Retry for the cost, and Windows as they are at now, without it. It consumes
// and creates nothing. The error is the store's.
func (l *Limiter) Peek(rule int, id ID, cost uint64, now int64, out *Result) error {
	r := &l.rules[rule]
	now = max(now, 0)
	*out = Result{N: len(r.windows)}
	var f found
	if err := l.load(r, id, now, &f); err != nil {
		return err
	}
	out.Admitted = r.judge(&f, max(cost, 1), now, out)
	return nil
}

// judge fills in out as things stand, and reports whether cost fits.
func (r *rule) judge(f *found, cost uint64, now int64, out *Result) bool {
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

// record writes the charge, which fits. It reports false if another worker was faster.
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
		if buf, ok = w.appendCharged(buf, s, k.clock, cost); !ok { // damaged beyond its header: it begins anew
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
	out.Admitted, out.kept, out.at, out.birth = true, true, k.clock, f.birth
	return true, nil
}
