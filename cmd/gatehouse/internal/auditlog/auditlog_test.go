package auditlog

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const event = `{"timestamp":"2026-03-01T12:30:45.123456Z","event_type":"request","user_id":null}`

func TestEventsAreFoundInLogs(t *testing.T) {
	for name, c := range map[string]struct {
		line string
		kind Kind
	}{
		"a plain line":          {event, Found},
		"Envoy's log":           {"[2026-03-01 12:00:00.123][17][info][wasm] [context.cc:1148] wasm log gate gatehouse: " + event, Found},
		"Kubernetes":            {"2026-03-01T12:00:00.123456789Z stdout F " + event, Found},
		"another log line":      {"[2026-03-01 12:00:00.123][1][info][main] starting", Other},
		"another JSON object":   {`{"timestamp":"2026-03-01T12:30:45.123456Z","level":"info"}`, Other},
		"an empty line":         {"", Other},
		"no timestamp":          {strings.Replace(event, `{"timestamp"`, `{"timestomp"`, 1), Damaged},
		"a timestamp too short": {strings.Replace(event, `45.123456Z`, `45Z`, 1), Damaged},
		"the end of an event":   {`"},"chain":{"key_id":"k"`, Damaged},
	} {
		t.Run(name, func(t *testing.T) {
			found, kind := Find([]byte(c.line))
			assert.Equal(t, c.kind, kind)
			assert.Equal(t, kind == Found, string(found) == event)
		})
	}
}

type readLine struct {
	number     int
	text       string
	incomplete bool
}

func lines(t *testing.T, name string, stdin string) (out []readLine) {
	t.Helper()
	require.NoError(t, Read(name, strings.NewReader(stdin), nil, func(l Line) {
		out = append(out, readLine{l.Number, string(l.Text), l.Incomplete})
	}))
	return out
}

func TestLinesAreReadWhole(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	assert.Equal(t, []readLine{{1, "a", false}, {2, "", false}, {3, long, false}, {4, "end", true}}, lines(t, Stdin, "a\n\n"+long+"\nend"))
	assert.Equal(t, []readLine{{1, long, true}}, lines(t, Stdin, long))
	assert.Empty(t, lines(t, Stdin, ""))
}

func TestALineThatIsTooLongIsCut(t *testing.T) {
	got := lines(t, Stdin, strings.Repeat("x", MaxLineBytes+100)+"\nnext\n")
	require.Len(t, got, 2)
	assert.Len(t, got[0].text, MaxLineBytes)
	assert.Equal(t, "next", got[1].text)
}

func TestGzipIsReadAsItIs(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte("a\nb\n"))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	name := filepath.Join(t.TempDir(), "audit.log.1.gz")
	require.NoError(t, os.WriteFile(name, b.Bytes(), 0o600))
	assert.Equal(t, []readLine{{1, "a", false}, {2, "b", false}}, lines(t, name, ""))
	require.NoError(t, os.WriteFile(name, b.Bytes()[:b.Len()-5], 0o600))
	assert.ErrorContains(t, Read(name, nil, nil, func(Line) {}), name)
	assert.Error(t, Read(name+".gone", nil, nil, func(Line) {}))
}

func TestProgressIsShownWhenItTakesLong(t *testing.T) {
	now := time.Unix(0, 0)
	var out bytes.Buffer
	p := newProgress(&out, func() time.Time { return now })
	step := func(by time.Duration) {
		now = now.Add(by)
		for range clockLines {
			p.line()
		}
	}
	step(time.Second)
	assert.Empty(t, out.String())
	step(2 * time.Second)
	step(time.Millisecond)
	step(time.Second)
	p.End()
	assert.Equal(t, "\r32768 lines\r65536 lines\r\x1b[K", out.String())
	assert.Nil(t, NewProgress(&out), "not a terminal")
}
