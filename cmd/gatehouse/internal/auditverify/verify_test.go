package auditverify_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/gatehouse/internal/auditlog"
	"gatehouse/cmd/gatehouse/internal/auditverify"
	"gatehouse/core/audit"
)

// one verifies a single stream, and returns what is said of it.
func one(t *testing.T, l *log, heads bool) (auditverify.Stream, *auditverify.Result) {
	t.Helper()
	result := l.verify(t, rand.New(rand.NewPCG(8, 9)), heads)
	require.Len(t, result.Streams, 1)
	return result.Streams[0], result
}

func TestRepeatsAreCounted(t *testing.T) {
	for name, repeat := range map[string]func(l *log){
		"one line, at once":           func(l *log) { l.insert(0, 11, l.files[0][10]) },
		"one line, much later":        func(l *log) { l.insert(0, 90, l.files[0][10]) },
		"a batch":                     func(l *log) { l.insert(0, 30, slices.Clone(l.files[0][20:30])...) },
		"a batch that had arrived":    func(l *log) { l.insert(0, 25, slices.Clone(l.files[0][20:25])...) },
		"a batch over a rotation":     func(l *log) { rotate(l, 50, 45) },
		"the whole file":              func(l *log) { l.files = append(l.files, slices.Clone(l.files[0])) },
		"a part of it, as a file":     func(l *log) { l.files = append(l.files, slices.Clone(l.files[0][33:44])) },
		"overlapping files":           func(l *log) { rotate(l, 70, 20) },
		"the last line":               func(l *log) { l.insert(0, 100, l.files[0][99]) },
		"the first line, at the end":  func(l *log) { l.insert(0, 100, l.files[0][0]) },
		"the first line, in a second": func(l *log) { l.files = append(l.files, []line{l.files[0][0]}) },
	} {
		t.Run(name, func(t *testing.T) {
			l := plainLog(100)
			repeat(l)
			lines := 0
			for _, file := range l.files {
				lines += len(file)
			}
			for _, heads := range []bool{false, true} {
				s, result := one(t, l, heads)
				assert.Empty(t, breaks(result))
				assert.Equal(t, uint64(lines-100), s.Repeats)
				assert.Equal(t, uint64(lines-100), result.Repeats)
				assert.Equal(t, heads, s.Status == auditverify.Proven)
			}
		})
	}
}

// rotate splits a log in two files; the second begins with lines that the first has too.
func rotate(l *log, end, begin int) {
	l.files = [][]line{slices.Clone(l.files[0][:end]), slices.Clone(l.files[0][begin:])}
}

// lossy is a log of which a sink lost lines from and to, and told it 5 lines later.
func lossy(t *testing.T, from, to int) *log {
	t.Helper()
	w := newWriter(rand.New(rand.NewPCG(1, 2)), "k1", "00000000000000aa", "")
	l := &log{files: [][]line{nil}}
	var losses audit.Losses
	for i := range 100 {
		text := w.line()
		if i >= from && i <= to {
			losses.Add(text.text)
		} else {
			l.files[0] = append(l.files[0], text)
		}
		if i == to+5 {
			gap, ok := losses.Take()
			require.True(t, ok)
			var e audit.Event
			gap.Event(&e)
			l.files[0] = append(l.files[0], line{w.chain.Append(e.AppendJSON(nil, 256)), w.stream, 0})
		}
	}
	l.heads = []audit.Head{w.head()}
	return l
}

func TestALossIsAcceptedIfAnAuditGapStatesIt(t *testing.T) {
	for _, heads := range []bool{false, true} {
		s, result := one(t, lossy(t, 40, 49), heads)
		assert.True(t, result.OK, "%+v", breaks(result))
		assert.Equal(t, []auditverify.Range{{From: 40, To: 49}}, s.Gaps)
	}
	s, result := one(t, lossy(t, 0, 3), false)
	assert.True(t, result.OK, "%+v", breaks(result))
	assert.Equal(t, []auditverify.Range{{From: 0, To: 3}}, s.Gaps)
}

func TestAnAuditGapCoversNoOtherLoss(t *testing.T) {
	for name, cut := range map[string]func(l *log){
		"one line more, before": func(l *log) { l.files[0] = slices.Delete(l.files[0], 39, 40) },
		"one line more, after":  func(l *log) { l.files[0] = slices.Delete(l.files[0], 40, 41) },
		"the audit_gap too":     func(l *log) { l.files[0] = slices.Delete(l.files[0], 45, 47) },
		"other lines, numbered as if they were the lost ones": func(l *log) {
			// The line after the gap goes, and the lines behind it are renumbered.
			l.files[0] = slices.Delete(l.files[0], 40, 41)
			for i := 40; i < len(l.files[0]); i++ {
				n := seq(l.files[0][i])
				l.files[0][i].text = bytes.Replace(l.files[0][i].text, fmt.Appendf(nil, `"seq":%d,`, n), fmt.Appendf(nil, `"seq":%d,`, n-1), 1)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := lossy(t, 40, 49)
			cut(l)
			s, result := one(t, l, false)
			require.False(t, result.OK)
			assert.Equal(t, auditverify.Removed, s.Break.Kind)
		})
	}
}

func TestHeadsProveTheTail(t *testing.T) {
	l := plainLog(100)
	headAt := func(seq int) audit.Head {
		link, _, err := audit.ParseLink(l.files[0][seq].text)
		require.NoError(t, err)
		return audit.Head{KeyID: "k1", Stream: "00000000000000aa", Seq: uint64(seq), MAC: link.MAC}
	}
	earlier, last := headAt(60), l.heads[0]
	wrong := earlier
	wrong.MAC[0]++
	for name, c := range map[string]struct {
		lines  []line
		heads  []audit.Head
		status auditverify.Status
		to     int // proven_to, -1 for none
		kind   auditverify.Kind
	}{
		"the end":                       {l.files[0], []audit.Head{last}, auditverify.Proven, 99, ""},
		"an earlier one":                {l.files[0], []audit.Head{earlier}, auditverify.UnprovenTail, 60, ""},
		"several":                       {l.files[0], []audit.Head{last, earlier}, auditverify.Proven, 99, ""},
		"none":                          {l.files[0], nil, auditverify.UnprovenTail, -1, ""},
		"the end is missing":            {l.files[0][:80], []audit.Head{last}, auditverify.Broken, -1, auditverify.Truncated},
		"another mac":                   {l.files[0], []audit.Head{wrong}, auditverify.Broken, -1, auditverify.Changed},
		"the beginning is kept out":     {l.files[0][61:], []audit.Head{earlier}, auditverify.UnprovenTail, -1, ""},
		"the beginning and the end":     {l.files[0][61:], []audit.Head{earlier, last}, auditverify.Proven, 99, ""},
		"the beginning is missing":      {l.files[0][62:], []audit.Head{earlier}, auditverify.Broken, -1, auditverify.Removed},
		"the beginning, without a head": {l.files[0][61:], nil, auditverify.Broken, -1, auditverify.Removed},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := one(t, &log{files: [][]line{c.lines}, heads: c.heads}, true)
			assert.Equal(t, c.status, s.Status, "%+v", s.Break)
			if c.to < 0 {
				assert.Nil(t, s.ProvenTo)
			} else {
				assert.Equal(t, uint64(c.to), *s.ProvenTo)
			}
			if c.kind != "" {
				assert.Equal(t, c.kind, s.Break.Kind)
			}
		})
	}
}

func TestAStreamThatIsGoneWholeIsMissedByItsHead(t *testing.T) {
	l := envoyLog(500)
	for f := range l.files {
		l.files[f] = slices.DeleteFunc(l.files[f], func(l line) bool { return l.stream == "00000000000000a2" })
	}
	r := rand.New(rand.NewPCG(8, 9))
	assert.True(t, l.verify(t, r, false).OK, "nobody can know without heads")
	result := l.verify(t, r, true)
	assert.False(t, result.OK)
	require.Len(t, breaks(result), 1)
	assert.Equal(t, auditverify.Truncated, breaks(result)[0].Kind)
}

func TestWithoutTheRightKeyNothingIsProven(t *testing.T) {
	l := plainLog(10)
	run := func(keys map[string][]byte) auditverify.Stream {
		v := auditverify.New(keys, nil)
		defer v.Close()
		in := v.Input("x")
		require.NoError(t, auditlog.Read(auditlog.Stdin, bytes.NewReader(l.text(0)), nil, in.Line))
		result, err := v.Result(false)
		require.NoError(t, err)
		assert.False(t, result.OK)
		return result.Streams[0]
	}
	assert.Equal(t, auditverify.NoKey, run(nil).Status)
	s := run(map[string][]byte{"k1": otherKey})
	assert.Equal(t, auditverify.Broken, s.Status)
	assert.Equal(t, 1, s.Break.Line)
	assert.Contains(t, s.Break.Detail, "is it the right key")
}

func TestALastLineThatWasCutOffIsNoBreak(t *testing.T) {
	l := plainLog(10)
	v := auditverify.New(keys, nil)
	defer v.Close()
	in := v.Input("x")
	text := l.text(0)
	require.NoError(t, auditlog.Read(auditlog.Stdin, bytes.NewReader(text[:len(text)-30]), nil, in.Line))
	result, err := v.Result(false)
	require.NoError(t, err)
	assert.True(t, result.OK)
	assert.Equal(t, []string{"x"}, result.Incomplete)
	assert.Equal(t, uint64(8), result.Streams[0].LastSeq)
}

func TestEventsWithoutAChainAreAllowedOnRequest(t *testing.T) {
	l := plainLog(10)
	plain := l.files[0][3]
	plain.text = append(bytes.Clone(plain.text[:bytes.LastIndex(plain.text, []byte(`,"chain"`))]), '}')
	v := auditverify.New(keys, nil)
	defer v.Close()
	l.insert(0, 5, plain)
	in := v.Input("x")
	require.NoError(t, auditlog.Read(auditlog.Stdin, bytes.NewReader(l.text(0)), nil, in.Line))
	result, err := v.Result(true)
	require.NoError(t, err)
	assert.True(t, result.OK)
	assert.Equal(t, uint64(1), result.Unchained)
}

// TestPythonComputesTheSameChain is the witness that docs/audit.md says enough to verify a log.
func TestPythonComputesTheSameChain(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("python3 is missing")
		}
		t.Skip("python3 is missing")
	}
	l := plainLog(50)
	file := filepath.Join(t.TempDir(), "audit.log")
	require.NoError(t, os.WriteFile(file, l.text(0), 0o600))
	out, err := exec.Command(python, "-c", `
import hashlib, hmac, json, sys
key, prev = sys.argv[2].encode(), bytes(32)
for n, line in enumerate(open(sys.argv[1], "rb")):
    line = line.rstrip(b"\n")
    chain = json.loads(line)["chain"]
    signed = line[:line.rindex(b'"chain"')]
    mac = hmac.new(key, prev + signed, hashlib.sha256).hexdigest()
    assert (chain["seq"], chain["prev"], chain["mac"]) == (n, prev.hex(), mac), n
    prev = bytes.fromhex(mac)
print(n + 1)
`, file, string(key)).CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Equal(t, "50\n", string(out))
}

func TestLinesMayComeInAnyOrderOnRequest(t *testing.T) {
	run := func(lines []line) *auditverify.Result {
		l := &log{files: [][]line{lines}}
		v := auditverify.New(keys, plainLog(1000).heads)
		defer v.Close()
		v.AnyOrder = true
		in := v.Input("x")
		require.NoError(t, auditlog.Read(auditlog.Stdin, bytes.NewReader(l.text(0)), nil, in.Line))
		result, err := v.Result(false)
		require.NoError(t, err)
		return result
	}
	r := rand.New(rand.NewPCG(8, 9))
	for _, batch := range []int{1, 7, 50} {
		batches := slices.Collect(slices.Chunk(plainLog(1000).files[0], batch))
		r.Shuffle(len(batches), func(i, j int) { batches[i], batches[j] = batches[j], batches[i] })
		lines := slices.Concat(batches...)
		result := run(lines)
		assert.True(t, result.OK, "%+v", breaks(result))
		assert.Equal(t, auditverify.Proven, result.Streams[0].Status)
		assert.Equal(t, uint64(7), run(append(slices.Clone(lines), lines[3:10]...)).Repeats)
		assert.False(t, run(slices.Delete(slices.Clone(lines), 500, 501)).OK, "a line is missing all the same")
		changed := slices.Clone(lines)
		changed[500].text = bytes.Replace(changed[500].text, []byte(`"method":"GET"`), []byte(`"method":"PUT"`), 1)
		found := breaks(run(changed))
		require.NotEmpty(t, found)
		assert.Equal(t, 501, found[0].Line)
	}
}
