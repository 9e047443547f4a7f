package sink_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gatehouse/core/clock"
	"gatehouse/core/config"
	"gatehouse/filter/internal/proxy"
	"gatehouse/filter/internal/proxy/proxytest"
	"gatehouse/filter/internal/sink"
)

const second = 1_000_000_000

// bench is a sink, the events that went into it, and a receiver.
type bench struct {
	t    require.TestingT
	px   *proxytest.Proxy
	sink *sink.Sink
	name string

	written  []string        // all lines, in order
	lost     []string        // since the last gap was told
	told     map[string]bool // lines that a gap told
	received []string        // without repeats
	seen     map[string]bool
	requests int
	gaps     int
}

func newBench(t require.TestingT, cfg config.AuditHTTP) *bench {
	b := &bench{t: t, px: proxytest.New(), told: map[string]bool{}, seen: map[string]bool{}}
	cfg.Cluster, cfg.Authority, cfg.Path = "logs", "logs", "/in"
	b.sink = sink.New(b.px, &cfg, b, 7)
	return b
}

func (b *bench) append(line string) {
	b.written = append(b.written, line)
	b.sink.Append([]byte(line))
}

// Lost implements sink.Owner. What a lost gap told has to be told again.
func (b *bench) Lost(line []byte) {
	if lines, ok := gapOf(string(line)); ok {
		b.lost = append(b.lost, strings.Split(lines, ",")...)
		b.told[string(line)] = true
		return
	}
	b.lost = append(b.lost, string(line))
}

// WriteGaps implements sink.Owner: a gap is a line of all that it tells.
func (b *bench) WriteGaps() {
	if len(b.lost) == 0 {
		return
	}
	lost := b.lost
	b.lost = nil
	b.gaps++
	b.append("gap " + b.name + strconv.Itoa(b.gaps) + ":" + strings.Join(lost, ","))
}

// gapOf are the lines that a gap tells, with commas between them. Like an event, each gap has a
// number.
func gapOf(line string) (lines string, ok bool) {
	if !strings.HasPrefix(line, "gap ") {
		return "", false
	}
	_, lines, ok = strings.Cut(line, ":")
	return lines, ok
}

// receive takes a batch as a receiver does that knows repeats.
func (b *bench) receive(c *proxytest.PendingCall) {
	b.requests++
	body := string(c.Body)
	require.True(b.t, strings.HasSuffix(body, "\n"))
	for line := range strings.SplitSeq(strings.TrimSuffix(body, "\n"), "\n") {
		if b.seen[line] {
			continue
		}
		b.seen[line] = true
		b.received = append(b.received, line)
		if lines, ok := gapOf(line); ok {
			for l := range strings.SplitSeq(lines, ",") {
				require.False(b.t, b.told[l], "a loss is told once")
				b.told[l] = true
			}
		}
	}
}

// behavior is what a receiver does with a request.
type behavior int

const (
	takes behavior = iota
	answers500
	answers413
	hangs        // until the timeout, without having stored anything
	closesEarly  // stores the batch, but the answer is lost
	unreachable  // no request is sent
	noOfBehavior = iota
)

// step lets some time pass: a tick, and the receiver's answers.
func (b *bench) step(how behavior) {
	b.px.Fault = func(c proxytest.Invocation) proxy.Status {
		if how == unreachable && c.Name == "Call" {
			return proxy.InternalFailure
		}
		return proxy.OK
	}
	b.px.Mono += second / 2
	b.sink.Tick(b.px.Mono)
	for len(b.px.Pending) > 0 {
		require.Len(b.t, b.px.Pending, 1, "one batch is under way")
		c := b.px.Pending[0]
		status := "200"
		switch how {
		case takes:
			b.receive(c)
		case answers500:
			status = "500"
		case answers413:
			status = "413"
		case closesEarly:
			b.receive(c)
			c.End(nil)
			continue
		default:
			b.px.Mono += 5 * second
			status = "504" // the proxy's own
		}
		c.End(&proxytest.Answer{Headers: []proxytest.Header{{Name: ":status", Value: status}}})
	}
}

// check holds that each line was received, in order, or is told by a gap, or is lost and not told
// yet.
func (b *bench) check(left int) {
	lost := map[string]bool{}
	for _, l := range b.lost {
		lost[l] = true
	}
	next, missing := 0, 0
	for _, line := range b.written {
		switch {
		case next < len(b.received) && b.received[next] == line:
			next++
			require.False(b.t, b.told[line] || lost[line], "received and said to be lost: %s", line)
		case b.told[line], lost[line]:
		default:
			missing++
		}
	}
	require.Equal(b.t, len(b.received), next, "received in order")
	require.Equal(b.t, left, missing, "what is neither received nor lost waits in the queue")
}

var usual = config.AuditHTTP{BatchEvents: 100, FlushSeconds: 1, QueueEvents: 10000, TimeoutSeconds: 5}

// TestFiftyThousandEventsReachAReceiverThatFailsInEveryWay has room for all that comes while it
// fails.
func TestFiftyThousandEventsReachAReceiverThatFailsInEveryWay(t *testing.T) {
	cfg := usual
	cfg.QueueEvents = 50_000
	b := newBench(t, cfg)
	for i := range 50_000 {
		b.append("event " + strconv.Itoa(i))
		if i%200 == 0 {
			b.step(behavior(i / 2000 % noOfBehavior))
		}
	}
	for range 200 {
		b.step(takes)
	}
	assert.Len(t, b.received, 50_000)
	assert.Empty(t, b.told)
	assert.Empty(t, b.lost)
	b.check(0)
}

// TestEachLossIsAccountedFor has a queue that is too small for a receiver that comes and goes.
func TestEachLossIsAccountedFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := usual
		cfg.BatchEvents, cfg.QueueEvents = rapid.IntRange(1, 20).Draw(t, "batch"), rapid.IntRange(20, 60).Draw(t, "queue")
		b := newBench(t, cfg)
		n := 0
		for range rapid.IntRange(1, 30).Draw(t, "phases") {
			how := behavior(rapid.IntRange(0, noOfBehavior-1).Draw(t, "behavior"))
			for range rapid.IntRange(1, 6).Draw(t, "steps") {
				for range rapid.IntRange(0, 40).Draw(t, "events") {
					b.append("event " + strconv.Itoa(n))
					n++
				}
				b.step(how)
			}
		}
		for range 300 {
			b.step(takes)
		}
		require.Empty(t, b.lost, "all losses are told in the end")
		b.check(0)
		require.Equal(t, len(b.written), len(b.received)+len(b.told))
	})
}

func TestAnEventWaitsForOthersNoLongerThanItShould(t *testing.T) {
	b := newBench(t, usual)
	b.step(takes)
	b.append("one")
	b.append("two")
	b.step(takes)
	b.step(takes)
	assert.Equal(t, []string{"one", "two"}, b.received)
	assert.Equal(t, 1, b.requests, "one batch of both")
	for i := range 250 {
		b.append(fmt.Sprint(i))
	}
	b.step(takes)
	assert.Equal(t, 3, b.requests, "full batches don't wait")
}

func TestTheRequestIsWhatTheConfigurationSays(t *testing.T) {
	cfg := usual
	cfg.Headers = []config.HTTPHeader{{Name: "authorization", Value: "Bearer s3cret"}}
	b := newBench(t, cfg)
	b.append("{}")
	b.sink.Tick(b.px.Mono + second)
	require.Len(t, b.px.Pending, 1)
	c := b.px.Pending[0]
	assert.Equal(t, "logs", c.Cluster)
	assert.Equal(t, uint32(5000), c.TimeoutMilliseconds)
	assert.Equal(t, [][2]string{{":method", "POST"}, {":path", "/in"}, {":authority", "logs"}, {":scheme", "http"},
		{"content-type", "application/x-ndjson"}, {"user-agent", "gatehouse"}, {"authorization", "Bearer s3cret"}}, c.Headers)
	for _, l := range b.px.Logs {
		assert.NotContains(t, l.Text, "s3cret")
	}
}

func TestAFailingReceiverIsAskedLessAndLess(t *testing.T) {
	b := newBench(t, usual)
	b.append("one")
	var at []clock.Mono
	for range 600 {
		before := len(b.px.Calls)
		b.step(answers500)
		for _, c := range b.px.Calls[before:] {
			if c.Name == "Call" {
				at = append(at, b.px.Mono)
			}
		}
	}
	require.Greater(t, len(at), 8)
	assert.Less(t, len(at), 40, "in five minutes")
	last := at[len(at)-1].Since(at[len(at)-2])
	assert.GreaterOrEqual(t, last, int64(15*second))
	assert.LessOrEqual(t, last, int64(31*second))
	assert.Len(t, b.px.Logs, 1, "one line says that it fails")
	b.step(takes)
}

// nobody takes over.
func nobody() *sink.Sink { return nil }

// TestAnHeirTakesOverEachLineOrIsTold ends a sink with lines in its queue, lost ones, and a batch
// under way.
func TestAnHeirTakesOverEachLineOrIsTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := usual
		cfg.BatchEvents, cfg.QueueEvents = rapid.IntRange(1, 10).Draw(t, "batch"), rapid.IntRange(10, 40).Draw(t, "queue")
		old, heir := newBench(t, cfg), newBench(t, cfg)
		for i := range rapid.IntRange(0, 60).Draw(t, "events") {
			old.append("old " + strconv.Itoa(i))
		}
		for i := range rapid.IntRange(0, 60).Draw(t, "of the heir") {
			heir.append("new " + strconv.Itoa(i))
		}
		underWay := rapid.Bool().Draw(t, "a batch is under way")
		if underWay {
			old.sink.Tick(old.px.Mono + second)
		}
		ended := 0
		lost, done := old.sink.Stop(old.px.Mono+second, func() *sink.Sink { return heir.sink }, func(lost int) {
			ended++
			require.Zero(t, lost)
		})
		require.Zero(t, lost)
		require.Equal(t, len(old.px.Pending) == 0, done)
		how := rapid.SampledFrom([]behavior{takes, answers500, closesEarly}).Draw(t, "the batch's answer")
		old.answerAll(how)
		require.Equal(t, !done, ended == 1)
		require.Empty(t, old.px.Pending, "the heir sends what is left")

		heir.written = append(old.written, heir.written...)
		for range 100 {
			heir.step(takes)
		}
		require.Empty(t, append(old.lost, heir.lost...), "all losses are told")
		received, told := map[string]bool{}, map[string]bool{}
		for _, b := range []*bench{old, heir} {
			for line := range b.seen {
				require.True(t, !received[line] || how == closesEarly, "delivered twice")
				received[line] = true
			}
			for line := range b.told {
				told[line] = true
			}
		}
		for _, line := range heir.written {
			require.NotEqual(t, received[line], told[line], "delivered, or told to be lost: %s", line)
		}
	})
}

// TestEachInstanceTellsItsOwnLosses has one update after another while the receiver fails. Replaced
// instances end when their last connection does, in any order.
func TestEachInstanceTellsItsOwnLosses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := usual
		cfg.BatchEvents, cfg.QueueEvents = rapid.IntRange(1, 10).Draw(t, "batch"), rapid.IntRange(10, 40).Draw(t, "queue")
		behaviors := rapid.SampledFrom([]behavior{takes, answers500, answers500, hangs, closesEarly, unreachable})
		var all, open []*bench
		for i := range rapid.IntRange(2, 6).Draw(t, "instances") {
			b := newBench(t, cfg)
			b.name = string(rune('a' + i))
			all, open = append(all, b), append(open, b)
			for _, b := range open {
				for i := range rapid.IntRange(0, 60).Draw(t, "events") {
					b.append(fmt.Sprint(b.name, len(b.written), i))
				}
				for range rapid.IntRange(0, 2).Draw(t, "steps") {
					b.step(behaviors.Draw(t, "behavior"))
				}
			}
			for len(open) > 1 && rapid.Bool().Draw(t, "a replaced one ends") {
				n := rapid.IntRange(0, len(open)-2).Draw(t, "which")
				open[n].endFor(t, b, behaviors.Draw(t, "its last batch"))
				open = slices.Delete(open, n, n+1)
			}
		}
		heir := all[len(all)-1]
		for _, b := range open[:len(open)-1] {
			b.endFor(t, heir, answers500)
		}
		for range 300 {
			heir.step(takes)
		}
		received, told := map[string]bool{}, map[string]bool{}
		for _, b := range all {
			require.Empty(t, b.lost, "all losses are told")
			for line := range b.seen {
				received[line] = true
			}
		}
		for line := range received {
			if lines, ok := gapOf(line); ok {
				for l := range strings.SplitSeq(lines, ",") {
					require.Equal(t, line[len("gap "):][:1], l[:1], "a line is told by its own instance: %s", line)
					require.False(t, told[l], "told twice: %s", l)
					told[l] = true
				}
			}
		}
		for _, b := range all {
			for _, line := range b.written {
				if _, gap := gapOf(line); gap && !received[line] {
					continue // what it told was told again
				}
				require.NotEqual(t, received[line], told[line], "delivered, or told to be lost: %s", line)
			}
		}
	})
}

// endFor ends a sink that another one takes over. The answer to the batch under way is given.
func (b *bench) endFor(t require.TestingT, heir *bench, how behavior) {
	lost, done := b.sink.Stop(b.px.Mono+second, func() *sink.Sink { return heir.sink }, func(lost int) { require.Zero(t, lost) })
	require.Zero(t, lost)
	require.Equal(t, len(b.px.Pending) == 0, done)
	b.answerAll(how)
	require.Empty(t, b.px.Pending)
}

func TestAtTheEndWhatIsLeftIsSent(t *testing.T) {
	for name, test := range map[string]struct {
		how            behavior
		received, lost int
	}{
		"a receiver that takes it":    {takes, 250, 0},
		"a receiver that fails":       {answers500, 0, 250},
		"a receiver that hangs":       {hangs, 0, 250},
		"a receiver that isn't there": {unreachable, 0, 250},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, usual)
			for i := range 250 {
				b.append(fmt.Sprint(i))
			}
			if test.how == unreachable {
				b.px.Fault = func(c proxytest.Invocation) proxy.Status {
					if c.Name == "Call" {
						return proxy.BadArgument
					}
					return proxy.OK
				}
			}
			ended := 0
			lost, done := b.sink.Stop(b.px.Mono, nobody, func(lost int) {
				ended++
				assert.Equal(t, test.lost, lost)
			})
			if done {
				assert.Equal(t, test.lost, lost)
				assert.Empty(t, b.px.Pending)
				return
			}
			b.answerAll(test.how)
			assert.Equal(t, 1, ended)
			assert.Len(t, b.received, test.received)
			assert.Equal(t, 0, b.sink.Growth(), "the queue is empty")
		})
	}
	lost, done := newBench(t, usual).sink.Stop(1, nobody, nil)
	assert.True(t, done)
	assert.Zero(t, lost)
}

// answerAll answers what is under way, without a tick.
func (b *bench) answerAll(how behavior) {
	for len(b.px.Pending) > 0 {
		c := b.px.Pending[0]
		status := "503"
		switch how {
		case takes:
			b.receive(c)
			status = "204"
		case closesEarly:
			b.receive(c)
			c.End(nil)
			continue
		}
		c.End(&proxytest.Answer{Headers: []proxytest.Header{{Name: ":status", Value: status}}})
	}
}

func TestAQueueIsBoundedInBytesToo(t *testing.T) {
	b := newBench(t, config.AuditHTTP{BatchEvents: 1000, FlushSeconds: 1, QueueEvents: 100_000, TimeoutSeconds: 5})
	line := strings.Repeat("x", 100_000)
	for i := range 400 {
		b.append(strconv.Itoa(i) + line)
	}
	assert.Len(t, b.lost, 400-32<<20/100_003)
	b.sink.Tick(b.px.Mono + second)
	require.Len(t, b.px.Pending, 1)
	assert.LessOrEqual(t, len(b.px.Pending[0].Body), 1<<20)
}
