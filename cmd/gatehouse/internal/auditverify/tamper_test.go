package auditverify_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/gatehouse/internal/auditverify"
)

// edit changes a log and says where that must be found. ok is false if the edit can't be made
// there.
type edit struct {
	name  string
	kinds []auditverify.Kind
	heads bool
	do    func(r *rand.Rand, l *log) (at []auditverify.Place, ok bool)
}

var edits = []edit{
	{"a byte", []auditverify.Kind{auditverify.Changed}, false, func(r *rand.Rand, l *log) ([]auditverify.Place, bool) {
		f, i := l.event(r)
		old := l.files[f][i]
		text := bytes.Clone(old.text)
		at := old.prefix + r.IntN(len(text)-old.prefix)
		b := byte(r.IntN(256))
		if b == text[at] {
			return nil, false
		}
		text[at] = b
		l.files[f][i].text = text
		if b == '\n' { // it is two lines now, and both are wrong
			return []auditverify.Place{at1(f, i), at1(f, i+1)}, true
		}
		return []auditverify.Place{at1(f, i)}, true
	}},
	// A stream's name that becomes another one's puts the line out of that one's order.
	{"a byte of the chain", []auditverify.Kind{auditverify.Changed, auditverify.Inserted, auditverify.Reordered}, false, func(r *rand.Rand, l *log) ([]auditverify.Place, bool) {
		f, i := l.event(r)
		text := bytes.Clone(l.files[f][i].text)
		start := bytes.LastIndex(text, []byte(`"chain"`))
		at := start + r.IntN(len(text)-start)
		replacement := `0123456789abcdefxyz"k{}`[r.IntN(23)]
		if text[at] == replacement {
			return nil, false
		}
		text[at] = replacement
		l.files[f][i].text = text
		return []auditverify.Place{at1(f, i)}, true
	}},
	{"a newline", []auditverify.Kind{auditverify.Changed}, false, func(r *rand.Rand, l *log) ([]auditverify.Place, bool) {
		f, i := l.event(r)
		if i+1 == len(l.files[f]) {
			return nil, false
		}
		l.files[f][i].text = slices.Concat(l.files[f][i].text, []byte{' '}, l.files[f][i+1].text)
		l.files[f] = slices.Delete(l.files[f], i+1, i+2)
		return []auditverify.Place{at1(f, i)}, true
	}},
	{"removal", []auditverify.Kind{auditverify.Removed}, false, func(r *rand.Rand, l *log) ([]auditverify.Place, bool) {
		f, i := l.event(r)
		stream := l.files[f][i].stream
		n := min(1+r.IntN(3), len(l.files[f])-i)
		for _, gone := range l.files[f][i : i+n] {
			if gone.stream != stream {
				return nil, false // one stream at a time, to know what comes first
			}
		}
		l.files[f] = slices.Delete(l.files[f], i, i+n)
		place, ok := l.next(stream, f, i)
		return []auditverify.Place{place}, ok
	}},
	{"insertion of a forged line", []auditverify.Kind{auditverify.Inserted, auditverify.Changed}, false, func(r *rand.Rand, l *log) ([]auditverify.Place, bool) {
		f, i := l.event(r)
		forged := l.files[f][i]
		forged.text = bytes.Replace(forged.text, []byte(`"status_code":`), []byte(`"status_code":9`), 1)
		at := r.IntN(len(l.files[f]) + 1)
		l.insert(f, at, forged)
		return []auditverify.Place{at1(f, at)}, true
	}},
	{"insertion of an event without a chain", []auditverify.Kind{auditverify.Inserted}, false, func(r *rand.Rand, l *log) ([]auditverify.Place, bool) {
		f, i := l.event(r)
		forged := l.files[f][i]
		forged.text = append(bytes.Clone(forged.text[:bytes.LastIndex(forged.text, []byte(`,"chain"`))]), '}')
		at := r.IntN(len(l.files[f]) + 1)
		l.insert(f, at, forged)
		return []auditverify.Place{at1(f, at)}, true
	}},
	{"an earlier line's place taken by a relabelled one", []auditverify.Kind{auditverify.Inserted}, false, func(r *rand.Rand, l *log) ([]auditverify.Place, bool) {
		f, i := l.event(r)
		copied := l.files[f][i]
		copied.text = bytes.Replace(copied.text, []byte(`"seq":`), []byte(`"seq":1`), 1)
		if bytes.Contains(copied.text, []byte(`"seq":1,`)) || i > 80 { // the place must be taken when the copy comes
			copied.text = bytes.Replace(l.files[f][i].text, fmt.Appendf(nil, `"seq":%d`, seq(l.files[f][i])), []byte(`"seq":0`), 1)
		}
		if seq(l.files[f][i]) == 0 || f > 0 && len(l.files) > 1 {
			return nil, false
		}
		place := len(l.files[f])
		l.insert(f, place, copied)
		return []auditverify.Place{at1(f, place)}, f == 0
	}},
	{"a swap", []auditverify.Kind{auditverify.Reordered}, false, func(r *rand.Rand, l *log) ([]auditverify.Place, bool) {
		f, i := l.event(r)
		j := i + 1 + r.IntN(200)
		if j >= len(l.files[f]) || l.files[f][i].stream != l.files[f][j].stream {
			return nil, false
		}
		l.files[f][i], l.files[f][j] = l.files[f][j], l.files[f][i]
		return []auditverify.Place{at1(f, i)}, true
	}},
	{"a line moved down", []auditverify.Kind{auditverify.Reordered}, false, func(r *rand.Rand, l *log) ([]auditverify.Place, bool) {
		f, i := l.event(r)
		moved := l.files[f][i]
		to := i + 1 + r.IntN(500)
		if to >= len(l.files[f]) {
			return nil, false
		}
		l.files[f] = slices.Delete(l.files[f], i, i+1)
		first, ok := l.next(moved.stream, f, i)
		if !ok || first.File != at1(f, 0).File || first.Line > to {
			return nil, false // moved, but past no line of its own stream
		}
		l.insert(f, to, moved)
		return []auditverify.Place{first}, true
	}},
	{"truncation", []auditverify.Kind{auditverify.Truncated}, true, func(r *rand.Rand, l *log) ([]auditverify.Place, bool) {
		f := len(l.files) - 1
		keep := len(l.files[f]) - 1 - r.IntN(50)
		gone := l.files[f][keep]
		if gone.stream == "" {
			return nil, false
		}
		for _, other := range l.files[f][keep:] {
			if other.stream != gone.stream && other.stream != "" {
				return nil, false
			}
		}
		l.files[f] = l.files[f][:keep]
		for i := keep - 1; i >= 0; i-- {
			if l.files[f][i].stream == gone.stream {
				return []auditverify.Place{at1(f, i)}, true
			}
		}
		return nil, false
	}},
	{"a splice from another stream", []auditverify.Kind{auditverify.Removed}, false, func(r *rand.Rand, l *log) ([]auditverify.Place, bool) {
		f, i := l.event(r)
		w := newWriter(r, "k1", "00000000000000ff", string(l.files[f][i].text[:l.files[f][i].prefix]))
		for range 1 + r.IntN(5) {
			w.line()
		}
		l.insert(f, i, w.line(), w.line())
		return []auditverify.Place{at1(f, i)}, true
	}},
	{"a splice under the stream's own name", []auditverify.Kind{auditverify.Inserted, auditverify.Reordered, auditverify.Changed}, false, func(r *rand.Rand, l *log) ([]auditverify.Place, bool) {
		return splice(r, l, "k1")
	}},
	{"lines of another key", []auditverify.Kind{auditverify.Inserted, auditverify.Reordered, auditverify.Changed}, false, func(r *rand.Rand, l *log) ([]auditverify.Place, bool) {
		return splice(r, l, "k2")
	}},
}

// splice inserts lines of a stream of the writer's own, which has the name of another one.
func splice(r *rand.Rand, l *log, keyID string) ([]auditverify.Place, bool) {
	f, i := l.event(r)
	here := l.files[f][i]
	if seq(here) == 0 {
		return nil, false
	}
	w := newWriter(r, keyID, here.stream, string(here.text[:here.prefix]))
	var spliced line
	for range 1 + r.IntN(4) {
		spliced = w.line()
	}
	if r.IntN(2) == 0 { // with the right seq, too
		spliced.text = bytes.Replace(spliced.text, fmt.Appendf(nil, `"seq":%d,`, seq(spliced)), fmt.Appendf(nil, `"seq":%d,`, seq(here)), 1)
	}
	l.insert(f, i, spliced)
	return []auditverify.Place{at1(f, i)}, true
}

func seq(l line) (n int) {
	at := bytes.LastIndex(l.text, []byte(`"seq":`))
	_, _ = fmt.Sscanf(string(l.text[at:]), `"seq":%d`, &n)
	return n
}

const events = 10_000

func TestAnUntouchedLogPasses(t *testing.T) {
	for name, l := range map[string]*log{"plain": plainLog(events), "Envoy's log": envoyLog(events)} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(5, 6))
			result := l.verify(t, r, false)
			assert.Empty(t, breaks(result))
			assert.True(t, result.OK)
			assert.Equal(t, uint64(events), result.Events)
			assert.Zero(t, result.Repeats)
			for _, s := range result.Streams {
				assert.Equal(t, auditverify.UnprovenTail, s.Status)
			}
			for _, s := range l.verify(t, r, true).Streams {
				assert.Equal(t, auditverify.Proven, s.Status)
			}
		})
	}
}

func TestEveryEditIsFoundAtItsLine(t *testing.T) {
	each := 20 // of each kind, in each log
	size := events
	if testing.Short() {
		each, size = 5, 1000
	}
	made := 0
	for name, original := range map[string]*log{"plain": plainLog(size), "Envoy's log": envoyLog(size)} {
		for _, e := range edits {
			t.Run(name+"/"+e.name, func(t *testing.T) {
				r := rand.New(rand.NewPCG(7, uint64(len(e.name))))
				for n := 0; n < each; {
					l := original.copied()
					places, ok := e.do(r, l)
					if !ok {
						continue
					}
					n++
					made++
					result := l.verify(t, r, e.heads)
					found := breaks(result)
					require.NotEmpty(t, found, "at %v", places)
					require.False(t, result.OK)
					require.True(t, result.Broken())
					first := slices.MinFunc(found, func(a, b auditverify.Break) int { return position(a.Place) - position(b.Place) })
					require.Contains(t, places, first.Place, "%+v", found)
					require.Contains(t, e.kinds, first.Kind, "%+v", found)
				}
			})
		}
	}
	t.Logf("%d edits", made)
	if !testing.Short() {
		assert.GreaterOrEqual(t, made, 500)
	}
}

// position orders places as the files are.
func position(p auditverify.Place) int {
	file := 0
	_, _ = fmt.Sscanf(p.File, "audit.%d.log", &file)
	return file*1_000_000 + p.Line
}
