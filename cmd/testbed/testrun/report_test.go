package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestSilenceIsBrokenByALineThatSaysWhatIsRunning(t *testing.T) {
	now := time.Unix(0, 0)
	var out, log bytes.Buffer
	r := newReport(&out, &log, func() time.Time { return now })
	r.total = 2
	r.event(event{Action: "start", Package: "p"})
	r.event(event{Action: "run", Package: "p", Test: "TestA"})
	now = now.Add(29 * time.Second)
	r.heartbeat()
	assert.Empty(t, out.String())
	now = now.Add(time.Second)
	r.heartbeat()
	r.heartbeat()
	assert.Equal(t, "... 30s: 0 of 2 packages done, running p TestA\n", out.String())
}

func TestALineThatIsNoEventIsShown(t *testing.T) {
	var out, log bytes.Buffer
	r := newReport(&out, &log, time.Now)
	handle(r, []byte("panic: in the go command\n"))
	assert.Equal(t, "panic: in the go command\n", out.String())
}

func TestTheLogSaysWhoseOutputItIs(t *testing.T) {
	var out, log bytes.Buffer
	r := newReport(&out, &log, time.Now)
	for _, pkg := range []string{"p", "p", "q", "p"} {
		r.event(event{Action: "output", Package: pkg, Test: "T", Output: pkg + "\n"})
	}
	assert.Equal(t, "# p\np\np\n# q\nq\n# p\np\n", log.String())
	assert.Empty(t, out.String())
}
