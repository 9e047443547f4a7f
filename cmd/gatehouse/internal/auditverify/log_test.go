package auditverify_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"gatehouse/cmd/gatehouse/internal/auditlog"
	"gatehouse/cmd/gatehouse/internal/auditverify"
	"gatehouse/core/audit"
	"gatehouse/core/clock"
)

var (
	key      = []byte("0123456789abcdef0123456789abcdef")
	otherKey = []byte("another key of thirty-two bytes!")
	keys     = map[string][]byte{"k1": key, "k2": otherKey}
)

// line is a line of a log.
type line struct {
	text   []byte
	stream string // "" for a line without an event
	prefix int    // bytes before the event
}

// log is audit logs in files, which are in order.
type log struct {
	files [][]line
	heads []audit.Head
}

// writer writes chained events.
type writer struct {
	random *rand.Rand
	chain  *audit.Chain
	stream string
	prefix string
}

func newWriter(random *rand.Rand, keyID, stream, prefix string) *writer {
	return &writer{random, audit.NewChain(keyID, keys[keyID], stream), stream, prefix}
}

func (w *writer) line() line {
	r := w.random
	e := audit.Event{
		Timestamp: clock.Wall(1_772_366_400_000_000_000 + r.Int64N(1e15)), Type: audit.Type(r.IntN(6)), UserID: fmt.Sprintf("user-%d", r.IntN(50)),
		Path: fmt.Sprintf("/orders/%d", r.IntN(1000)), Method: "GET", Status: 200 + r.IntN(300), IP: "192.0.2.1", UserAgent: "curl \"8\" \u2028",
		Meta: audit.Metadata{EventID: fmt.Sprintf("%016x-%d", 7, r.IntN(1e9)), Route: "orders", RequestID: "r", Caller: "human"},
	}
	return line{append([]byte(w.prefix), w.chain.Append(e.AppendJSON(nil, 0))...), w.stream, len(w.prefix)}
}

func (w *writer) head() audit.Head {
	h, _ := w.chain.Head()
	return h
}

// plainLog is one stream in one file of events alone.
func plainLog(n int) *log {
	w := newWriter(rand.New(rand.NewPCG(1, 2)), "k1", "00000000000000aa", "")
	l := &log{files: [][]line{nil}}
	for range n {
		l.files[0] = append(l.files[0], w.line())
	}
	l.heads = []audit.Head{w.head()}
	return l
}

// envoyLog is three streams in three files of Envoy's log, with other lines in between.
func envoyLog(n int) *log {
	random := rand.New(rand.NewPCG(3, 4))
	const prefix = "[2026-03-01 12:00:00.123][17][info][wasm] [source/extensions/common/wasm/context.cc:1148] wasm log gate gatehouse: "
	writers := []*writer{
		newWriter(random, "k1", "00000000000000a1", prefix), newWriter(random, "k1", "00000000000000a2", prefix),
		newWriter(random, "k2", "00000000000000a3", prefix),
	}
	l := &log{files: make([][]line, 3)}
	for i := range n {
		file := &l.files[i*3/n]
		if random.IntN(5) == 0 {
			*file = append(*file, line{text: []byte(`[2026-03-01 12:00:00.200][17][warning][misc] {"timestamp":"2026-03-01","event":"another"}`)})
		}
		*file = append(*file, writers[random.IntN(3)].line())
	}
	for _, w := range writers {
		l.heads = append(l.heads, w.head())
	}
	return l
}

// copied returns a log whose lines can be changed.
func (l *log) copied() *log {
	out := &log{heads: l.heads, files: make([][]line, len(l.files))}
	for i := range l.files {
		out.files[i] = slices.Clone(l.files[i])
	}
	return out
}

// event picks a line with an event.
func (l *log) event(r *rand.Rand) (file, at int) {
	for {
		file = r.IntN(len(l.files))
		at = r.IntN(len(l.files[file]))
		if l.files[file][at].stream != "" {
			return file, at
		}
	}
}

// next is the place of the next line of a stream, from a line on.
func (l *log) next(stream string, file, at int) (place auditverify.Place, ok bool) {
	for ; file < len(l.files); file, at = file+1, 0 {
		for ; at < len(l.files[file]); at++ {
			if l.files[file][at].stream == stream {
				return at1(file, at), true
			}
		}
	}
	return auditverify.Place{}, false
}

func at1(file, at int) auditverify.Place {
	return auditverify.Place{File: fmt.Sprintf("audit.%d.log", file), Line: at + 1}
}

func (l *log) insert(file, at int, lines ...line) {
	l.files[file] = slices.Insert(l.files[file], at, lines...)
}

func (l *log) text(file int) []byte {
	var b bytes.Buffer
	for i := range l.files[file] {
		b.Write(l.files[file][i].text)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// verify reads the files in a random order.
func (l *log) verify(t testing.TB, r *rand.Rand, heads bool) *auditverify.Result {
	t.Helper()
	var known []audit.Head
	if heads {
		known = l.heads
	}
	v := auditverify.New(keys, known)
	defer v.Close()
	for _, i := range r.Perm(len(l.files)) {
		in := v.Input(fmt.Sprintf("audit.%d.log", i))
		require.NoError(t, auditlog.Read(auditlog.Stdin, bytes.NewReader(l.text(i)), nil, in.Line))
	}
	result, err := v.Result(false)
	require.NoError(t, err)
	return result
}

// breaks are all breaks of a result.
func breaks(r *auditverify.Result) (all []auditverify.Break) {
	for i := range r.Streams {
		if b := r.Streams[i].Break; b != nil {
			all = append(all, *b)
		}
	}
	return append(all, r.Breaks...)
}
