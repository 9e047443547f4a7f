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
	"gatehouse/core/audit"
)

// The forger has the logs and no key. The macs cover neither a line's stream nor its seq, so that
// the forger may change both.

// relabel gives a line another stream and seq. Its mac stays right.
func relabel(l line, stream string, n int) line {
	at := bytes.LastIndex(l.text, []byte(`"stream":"`))
	prev := bytes.LastIndex(l.text, []byte(`,"prev":"`))
	text := append(bytes.Clone(l.text[:at]), fmt.Sprintf(`"stream":%q,"seq":%d`, stream, n)...)
	return line{append(text, l.text[prev:]...), stream, l.prefix}
}

// stated is a log that has all its lines, and an audit_gap in line 50 that says that another sink
// lost 30 to 40.
func stated(t *testing.T) *log {
	t.Helper()
	w := newWriter(rand.New(rand.NewPCG(1, 2)), "k1", "00000000000000aa", "")
	l := &log{files: [][]line{nil}}
	var losses audit.Losses
	for i := range 100 {
		text := w.line()
		if i >= 30 && i <= 40 {
			losses.Add(text.text)
		}
		l.files[0] = append(l.files[0], text)
		if i == 49 {
			gap, ok := losses.Take()
			require.True(t, ok)
			var e audit.Event
			gap.Event(&e)
			l.files[0] = append(l.files[0], line{w.chain.Append(e.AppendJSON(nil, 256)), w.stream, 0})
		}
	}
	return l
}

func TestAStatedGapHidesNoOtherLines(t *testing.T) {
	for name, forge := range map[string]func(l *log){
		"lines behind the gap, renumbered into it": func(l *log) {
			rest := slices.Clone(l.files[0][45:])
			for i := range rest {
				rest[i] = relabel(rest[i], rest[i].stream, 33+i)
			}
			l.files[0] = append(l.files[0][:32], rest...)
		},
		"lines of the gap and before it": func(l *log) { l.files[0] = slices.Delete(l.files[0], 29, 41) },
		"lines of the gap and after it":  func(l *log) { l.files[0] = slices.Delete(l.files[0], 30, 42) },
		"the gap's last lines and later ones, renumbered": func(l *log) {
			rest := slices.Clone(l.files[0][43:])
			for i := range rest {
				rest[i] = relabel(rest[i], rest[i].stream, 41+i)
			}
			l.files[0] = append(l.files[0][:35], rest...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := stated(t)
			forge(l)
			s, result := one(t, l, false)
			require.False(t, result.OK)
			assert.Equal(t, auditverify.Removed, s.Break.Kind)
		})
	}
	l := stated(t)
	_, result := one(t, l, false)
	assert.True(t, result.OK, "nothing is missing")
	l.files[0] = slices.Delete(l.files[0], 33, 37)
	_, result = one(t, l, false)
	assert.True(t, result.OK, "the audit_gap states these lines as lost: %+v", breaks(result))
}

func TestACopyOfAStreamUnderAnotherNameIsFound(t *testing.T) {
	for _, lines := range []int{1, 40, 100} {
		l := plainLog(100)
		for i, original := range l.files[0][:lines] {
			l.files[0] = append(l.files[0], relabel(original, "00000000000000bb", i))
		}
		for _, heads := range []bool{false, true} {
			result := l.verify(t, rand.New(rand.NewPCG(8, 9)), heads)
			require.False(t, result.OK, "%d lines", lines)
			found := breaks(result)
			require.Len(t, found, 1)
			assert.Equal(t, auditverify.Inserted, found[0].Kind)
			assert.Equal(t, 101, found[0].Line)
			if heads { // a head names the stream that is the original
				assert.Equal(t, auditverify.Proven, result.Streams[0].Status)
			}
		}
	}
}

func TestAnEventInFrontOfAChainedOneIsFound(t *testing.T) {
	l := plainLog(10)
	l.files[0][5].text = append([]byte(`{"event\u005ftype":"auth_success","user_id":"mallory"} `), l.files[0][5].text...)
	result := l.verify(t, rand.New(rand.NewPCG(8, 9)), false)
	require.False(t, result.OK, "readers of JSON would read two events there")
	assert.Equal(t, 6, breaks(result)[0].Line)
}

// TestNoForgerHidesOrAddsLines lets a forger without the key make a few changes, again and again.
// If the log passes all the same, then no line of it is missing but at a stream's end, none is new,
// and none is there in two versions.
func TestNoForgerHidesOrAddsLines(t *testing.T) {
	rounds := 10_000
	if testing.Short() {
		rounds = 2_000
	}
	r := rand.New(rand.NewPCG(11, 12))
	passed := 0
	for round := range rounds {
		gapFrom := 3 * (round % 2)
		original := forgersLog(t, r, gapFrom)
		forged := original.copied()
		var did []string
		for range 1 + r.IntN(4) {
			did = append(did, forge(r, forged))
		}
		result := forged.verify(t, r, false)
		if !result.OK {
			continue
		}
		passed++
		if wrong := holes(original, forged, gapFrom); wrong != "" {
			t.Fatalf("round %d: %s, after %q", round, wrong, did)
		}
	}
	t.Logf("%d of %d forged logs pass", passed, rounds)
	assert.Greater(t, passed, rounds/100)
}

const (
	gapTo, gapAt = 6, 9
	forgersLines = 16
)

// forgersLog is two streams, of which one has an audit_gap in its middle: another sink lost lines
// of it.
func forgersLog(t *testing.T, r *rand.Rand, gapFrom int) *log {
	t.Helper()
	l := &log{files: [][]line{nil}}
	var losses audit.Losses
	a, b := newWriter(r, "k1", "000000000000000a", ""), newWriter(r, "k1", "000000000000000b", "")
	for i := range forgersLines {
		var text line
		if i == gapAt {
			gap, ok := losses.Take()
			require.True(t, ok)
			var e audit.Event
			gap.Event(&e)
			text = line{a.chain.Append(e.AppendJSON(nil, 256)), a.stream, 0}
		} else {
			text = a.line()
		}
		if i >= gapFrom && i <= gapTo {
			losses.Add(text.text)
		}
		l.files[0] = append(l.files[0], text, b.line())
	}
	return l
}

// forge makes one change, and says what.
func forge(r *rand.Rand, l *log) string {
	f := r.IntN(len(l.files))
	lines := l.files[f]
	if len(lines) == 0 {
		return "nothing"
	}
	from := r.IntN(len(lines))
	to := min(len(lines), from+1+r.IntN(8))
	if r.IntN(3) == 0 {
		to = len(lines)
	}
	by := r.IntN(17) - 8
	var did string
	switch r.IntN(8) {
	case 0:
		did, l.files[f] = "removed", slices.Delete(lines, from, to)
	case 1: // one stream's lines only
		stream := lines[from].stream
		did, l.files[f] = "removed of one stream", slices.Delete(lines, from, from+1)
		for n := r.IntN(6); n > 0; n-- {
			if at := slices.IndexFunc(l.files[f][min(from, len(l.files[f])):], func(o line) bool { return o.stream == stream }); at >= 0 {
				l.files[f] = slices.Delete(l.files[f], from+at, from+at+1)
			}
		}
	case 2:
		did = fmt.Sprint("renumbered by ", by)
		stream := lines[from].stream
		for i := from; i < to; i++ {
			if lines[i].stream == stream {
				lines[i] = relabel(lines[i], stream, max(0, seq(lines[i])+by))
			}
		}
	case 3:
		did = "renamed"
		stream, name := lines[from].stream, "000000000000000"+string("abc"[r.IntN(3)])
		for i := from; i < to; i++ {
			if lines[i].stream == stream {
				lines[i] = relabel(lines[i], name, seq(lines[i]))
			}
		}
	case 4:
		did = "copied"
		at := r.IntN(len(lines) + 1)
		copies := slices.Clone(lines[from:to])
		l.files[f] = slices.Insert(lines, at, copies...)
	case 5:
		did = "copied under another name"
		stream := lines[from].stream
		for _, c := range slices.Clone(lines[from:to]) {
			if c.stream == stream {
				l.files[f] = append(l.files[f], relabel(c, "000000000000000d", seq(c)))
			}
		}
	case 6:
		did = "moved"
		moved := slices.Clone(lines[from:to])
		rest := slices.Delete(lines, from, to)
		l.files[f] = slices.Insert(rest, r.IntN(len(rest)+1), moved...)
	case 7:
		did = "split"
		l.files = append(l.files, slices.Clone(lines[from:]))
		l.files[f] = lines[:from]
	}
	return fmt.Sprintf("%s %d to %d", did, from, to)
}

// holes says what is wrong with a forged log that passes: it knows each line's true place.
func holes(original, forged *log, gapFrom int) string {
	type place struct {
		stream string
		n      int
	}
	truth := map[string]place{}
	for _, o := range original.files[0] {
		truth[unlabelled(o)] = place{o.stream, seq(o)}
	}
	there := map[place]string{}
	last := map[string]int{}
	for _, file := range forged.files {
		for _, l := range file {
			p, ok := truth[unlabelled(l)]
			if !ok {
				return "a line that nobody wrote"
			}
			if other, ok := there[p]; ok && other != string(l.text) {
				return fmt.Sprintf("line %d of %s in two versions", p.n, p.stream)
			}
			there[p] = string(l.text)
			last[p.stream] = max(last[p.stream], p.n)
		}
	}
	for stream, end := range last {
		for n := range end {
			_, ok := there[place{stream, n}]
			lost := stream == original.files[0][0].stream && n >= gapFrom && n <= gapTo
			if !ok && !lost {
				return fmt.Sprintf("line %d of %s is missing", n, stream)
			}
		}
	}
	return ""
}

// unlabelled is a line without its stream and seq.
func unlabelled(l line) string { return string(relabel(l, "", 0).text) }
