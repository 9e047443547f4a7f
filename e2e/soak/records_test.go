package soak_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// record is the folder of one run: what checker.py reads. It lists the files.
type record struct {
	dir string

	mu       sync.Mutex
	err      error // the first one of any write
	requests *lines
	tokens   *lines
	events   *lines
	received *lines
	nextID   int
	nextTok  int
}

// lines is a file that is written line by line.
type lines struct {
	file *os.File
	w    *bufio.Writer
}

func newRecord(t *testing.T, dir string) *record {
	t.Helper()
	r := &record{dir: dir}
	open := func(name string) *lines {
		file, err := os.Create(r.path(name))
		require.NoError(t, err)
		return &lines{file, bufio.NewWriterSize(file, 1<<16)}
	}
	r.requests, r.tokens, r.events, r.received = open("requests.tsv"), open("tokens.tsv"), open("events.jsonl"), open("received.log")
	return r
}

func (r *record) path(name string) string { return filepath.Join(r.dir, name) }

func (r *record) note(err error) {
	if err != nil && r.err == nil {
		r.err = err
	}
}

// close flushes all files and returns the first error of any write.
func (r *record) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range []*lines{r.requests, r.tokens, r.events, r.received} {
		r.note(l.w.Flush())
		r.note(l.file.Close())
	}
	return r.err
}

// id numbers a request. Every number is used.
func (r *record) id() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nextID++
	return r.nextID - 1
}

// ids returns how many requests there were.
func (r *record) ids() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.nextID
}

// token notes a token as it goes over the wire, and numbers it.
func (r *record) token(text string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.nextTok
	r.nextTok++
	_, err := r.tokens.w.WriteString(strconv.Itoa(n) + "\t" + text + "\n")
	r.note(err)
	return n
}

// request notes what was sent, and what came of it.
func (r *record) request(line []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := r.requests.w.Write(line)
	r.note(err)
}

// receive notes a batch of audit lines as the receiver got it.
func (r *record) receive(body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := r.received.w.Write(body)
	r.note(err)
}

// event notes what the run did at a moment: faults, updates, answers of the issuers.
func (r *record) event(kind string, members map[string]any) {
	line := map[string]any{"t": seconds(time.Now()), "kind": kind}
	for name, value := range members {
		line[name] = value
	}
	text, err := json.Marshal(line)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note(err)
	_, err = r.events.w.Write(append(text, '\n'))
	r.note(err)
}

// write writes a whole file.
func (r *record) write(t *testing.T, name string, value any) {
	t.Helper()
	text, ok := value.(string)
	if !ok {
		encoded, err := json.MarshalIndent(value, "", " ")
		require.NoError(t, err)
		text = string(encoded)
	}
	require.NoError(t, os.WriteFile(r.path(name), []byte(text), 0o600))
}

// seconds is a wall-clock time in seconds since 1970, to the microsecond.
func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }
