package auditreport

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gatehouse/cmd/gatehouse/internal/auditlog"
	"gatehouse/core/audit"
	"gatehouse/core/clock"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func report(lines ...string) *Report {
	b := NewBuilder()
	for i, line := range lines {
		b.Line(auditlog.Line{Number: i + 1, Text: []byte(line)})
	}
	return b.Report(10)
}

// at makes an event; change fills it in.
func at(minute int, change func(e *audit.Event)) string {
	e := audit.Event{Timestamp: clock.Wall(noon.Add(time.Duration(minute) * time.Minute).UnixNano()), Type: audit.TypeAuthSuccess}
	change(&e)
	return string(e.AppendJSON(nil, 0))
}

func sample() []string {
	var lines []string
	add := func(minute int, change func(e *audit.Event)) { lines = append(lines, at(minute, change)) }
	for i := range 6 {
		add(i, func(e *audit.Event) {
			e.UserID, e.Meta = "alice", audit.Metadata{Route: "orders", Caller: "human", Issuer: "https://idp.example"}
		})
	}
	for i := range 3 {
		add(i, func(e *audit.Event) {
			e.Type, e.UserID = audit.TypeAccessDenied, "bob"
			e.Meta = audit.Metadata{Reason: "insufficient_scope", Route: "orders", Caller: "human", Issuer: "https://idp.example"}
		})
	}
	add(2, func(e *audit.Event) {
		e.Type, e.IP, e.Meta = audit.TypeAuthFailure, "192.0.2.9", audit.Metadata{Reason: "missing_token", Route: "orders"}
	})
	add(65, func(e *audit.Event) {
		e.Type, e.UserID = audit.TypeAuthSuccess, "bob"
		e.Meta = audit.Metadata{WouldBe: "rate_limited", Route: "batch\x1b[31m", Caller: "human", Issuer: "https://idp.example"}
	})
	add(65, func(e *audit.Event) {
		e.Type, e.Meta = audit.TypeRateLimited, audit.Metadata{Origin: "local_ratelimit", Route: "orders", Caller: "anonymous"}
	})
	// What isn't the end of a request.
	add(70, func(e *audit.Event) { e.Type, e.Custom, e.Meta.Reason = audit.TypeCustom, "refund", "missing_token" })
	add(70, func(e *audit.Event) {
		gap := audit.Gap{Dropped: 17}
		gap.Event(e)
	})
	return append(lines, `[2026-03-01 12:00:00.000][1][info][main] starting`, `{"timestamp":"2026-03-01T12:00:00.000000Z","event_type":"request"`)
}

func TestTheReportSaysWhoWasRefused(t *testing.T) {
	r := report(sample()...)
	assert.Equal(t, Counts{Requests: 12, Refused: 5, WouldBe: 1}, r.Counts)
	assert.Equal(t, [5]uint64{16, 14, 1, 0, 17}, [5]uint64{r.Lines, r.Events, r.Unreadable, r.Repeats, r.Lost})
	assert.True(t, r.CallersExact)
	assert.Equal(t, `12 requests, 5 refused, 1 more would have been (observe mode); 2026-03-01T12:00:00.000000Z to 2026-03-01T13:05:00.000000Z
17 events were lost, as audit_gap says
1 lines could not be read

by reason
  reason              route            caller     issuer               refused  would be  last
  insufficient_scope  orders           human      https://idp.example  3        -         2026-03-01T12:02:00.000000Z
  by local_ratelimit  orders           anonymous  -                    1        -         2026-03-01T13:05:00.000000Z
  missing_token       orders           -          -                    1        -         2026-03-01T12:02:00.000000Z
  rate_limited        "batch\x1b[31m"  human      https://idp.example  -        1         2026-03-01T13:05:00.000000Z

by route
  route            requests  refused  would be  of its requests
  orders           11        5        -         45.5 %
  "batch\x1b[31m"  1         -        1         100.0 %

by caller
  user_id  client_id  issuer               ip_address  refused  would be
  bob      -          https://idp.example  -           3        1
  -        -          -                    -           1        -
  -        -          -                    192.0.2.9   1        -

over time, each 1m
  from                  requests  refused  would be  
  2026-03-01T12:00:00Z  2         1        -         ####################
  2026-03-01T12:01:00Z  2         1        -         ####################
  2026-03-01T12:02:00Z  3         2        -         ########################################
  2026-03-01T12:03:00Z  1         -        -         
  2026-03-01T12:04:00Z  1         -        -         
  2026-03-01T12:05:00Z  1         -        -         
  2026-03-01T13:05:00Z  2         1        1         ########################################
`, r.Text(10))
}

func TestTheReportIsStableJSON(t *testing.T) {
	text, err := json.Marshal(report(sample()...))
	require.NoError(t, err)
	assert.JSONEq(t, `{"lines":16,"events":14,"unreadable":1,"repeats":0,"lost":17,
		"from":"2026-03-01T12:00:00.000000Z","to":"2026-03-01T13:05:00.000000Z","requests":12,"refused":5,"would_be_refused":1,
		"by_reason":[{"reason":"insufficient_scope","refused":3,"would_be_refused":0},{"reason":null,"origin":"local_ratelimit","refused":1,"would_be_refused":0},
			{"reason":"missing_token","refused":1,"would_be_refused":0},{"reason":"rate_limited","refused":0,"would_be_refused":1}],
		"by_route":[{"name":"orders","requests":11,"refused":5,"would_be_refused":0},{"name":"batch\u001b[31m","requests":1,"refused":0,"would_be_refused":1}],
		"by_caller_kind":[{"name":"human","requests":10,"refused":3,"would_be_refused":1},{"name":null,"requests":1,"refused":1,"would_be_refused":0},{"name":"anonymous","requests":1,"refused":1,"would_be_refused":0}],
		"by_issuer":[{"name":"https://idp.example","requests":10,"refused":3,"would_be_refused":1},{"name":null,"requests":2,"refused":2,"would_be_refused":0}],
		"by_reason_route_caller_issuer":[
			{"reason":"insufficient_scope","route":"orders","caller":"human","issuer":"https://idp.example","refused":3,"would_be_refused":0,"first":"2026-03-01T12:00:00.000000Z","last":"2026-03-01T12:02:00.000000Z"},
			{"reason":null,"origin":"local_ratelimit","route":"orders","caller":"anonymous","issuer":null,"refused":1,"would_be_refused":0,"first":"2026-03-01T13:05:00.000000Z","last":"2026-03-01T13:05:00.000000Z"},
			{"reason":"missing_token","route":"orders","caller":null,"issuer":null,"refused":1,"would_be_refused":0,"first":"2026-03-01T12:02:00.000000Z","last":"2026-03-01T12:02:00.000000Z"},
			{"reason":"rate_limited","route":"batch\u001b[31m","caller":"human","issuer":"https://idp.example","refused":0,"would_be_refused":1,"first":"2026-03-01T13:05:00.000000Z","last":"2026-03-01T13:05:00.000000Z"}],
		"by_caller":[{"user_id":"bob","client_id":null,"issuer":"https://idp.example","ip_address":null,"refused":3,"would_be_refused":1},
			{"user_id":null,"client_id":null,"issuer":null,"ip_address":null,"refused":1,"would_be_refused":0},
			{"user_id":null,"client_id":null,"issuer":null,"ip_address":"192.0.2.9","refused":1,"would_be_refused":0}],
		"by_caller_exact":true,
		"over_time":[{"from":"2026-03-01T12:00:00Z","requests":2,"refused":1,"would_be_refused":0},{"from":"2026-03-01T12:01:00Z","requests":2,"refused":1,"would_be_refused":0},
			{"from":"2026-03-01T12:02:00Z","requests":3,"refused":2,"would_be_refused":0},{"from":"2026-03-01T12:03:00Z","requests":1,"refused":0,"would_be_refused":0},
			{"from":"2026-03-01T12:04:00Z","requests":1,"refused":0,"would_be_refused":0},{"from":"2026-03-01T12:05:00Z","requests":1,"refused":0,"would_be_refused":0},
			{"from":"2026-03-01T13:05:00Z","requests":2,"refused":1,"would_be_refused":1}],
		"over_time_seconds":60}`, string(text))
}

func TestLogsWithoutRefusalsAndEmptyOnes(t *testing.T) {
	assert.Equal(t, "0 requests, 0 refused\n", report().Text(10))
	assert.Equal(t, "1 requests, 0 refused; 2026-03-01T12:00:00.000000Z to 2026-03-01T12:00:00.000000Z\n", report(at(0, func(*audit.Event) {})).Text(10))
	text, err := json.Marshal(report())
	require.NoError(t, err)
	assert.NotContains(t, strings.ReplaceAll(string(text), "by_caller_exact", ""), "null", "lists are empty, not null")
}

func TestARepeatedEventCountsOnce(t *testing.T) {
	line := at(0, func(e *audit.Event) { e.Meta.EventID, e.Meta.Reason = "a-1", "missing_token" })
	r := report(line, line, line)
	assert.Equal(t, uint64(1), r.Refused)
	assert.Equal(t, uint64(2), r.Repeats)
}

func TestTheOpeningOfALongStreamIsNoRequest(t *testing.T) {
	open := at(0, func(e *audit.Event) { e.Meta.Phase = "open" })
	assert.Zero(t, report(open).Requests)
}

// TestTheReportAgreesWithPlainCounting has an oracle that keeps everything.
func TestTheReportAgreesWithPlainCounting(t *testing.T) {
	pick := func(t *rapid.T, from ...string) string { return rapid.SampledFrom(from).Draw(t, "pick") }
	rapid.Check(t, func(t *rapid.T) {
		var lines []string
		groups, callers := map[string]uint64{}, map[string]uint64{}
		refused, wouldBe := uint64(0), uint64(0)
		for range rapid.IntRange(0, 60).Draw(t, "events") {
			lines = append(lines, at(rapid.IntRange(0, 300000).Draw(t, "minute"), func(e *audit.Event) {
				e.UserID, e.IP = pick(t, "", "alice", "bob"), pick(t, "192.0.2.1", "192.0.2.2")
				e.Meta = audit.Metadata{Route: pick(t, "a", "b"), Issuer: pick(t, "", "i")}
				switch reason := pick(t, "", "missing_token", "no_route"); {
				case reason == "":
				case rapid.Bool().Draw(t, "observe"):
					e.Meta.WouldBe = reason
					wouldBe++
				default:
					e.Meta.Reason = reason
					refused++
				}
				if reason := e.Meta.Reason + e.Meta.WouldBe; reason != "" {
					groups[reason+" "+e.Meta.Route+" "+e.Meta.Issuer]++
					if e.UserID != "" {
						callers[e.UserID+" "+e.Meta.Issuer]++
					} else {
						callers["at "+e.IP]++
					}
				}
			}))
		}
		r := report(lines...)
		require.Equal(t, [3]uint64{uint64(len(lines)), refused, wouldBe}, [3]uint64{r.Requests, r.Refused, r.WouldBe})
		got := map[string]uint64{}
		for _, g := range r.Groups {
			got[text(g.Reason)+" "+text(g.Route)+" "+text(g.Issuer)] += g.Refused + g.WouldBe
		}
		require.Equal(t, groups, got)
		got = map[string]uint64{}
		for _, c := range r.Callers {
			key := text(c.UserID) + " " + text(c.Issuer)
			if c.UserID == nil {
				key = "at " + text(c.IP)
			}
			got[key] += c.Refused + c.WouldBe
		}
		require.Equal(t, callers, got)
		spans := uint64(0)
		for _, s := range r.Timeline {
			spans += s.Requests
		}
		require.Equal(t, r.Requests, spans)
		require.LessOrEqual(t, len(r.Timeline), maxSpans)
	})
}

func TestMemoryStaysBoundedWhateverTheLogsHold(t *testing.T) {
	b := NewBuilder()
	for i := range 3 * maxCallers {
		name := fmt.Sprint(i)
		line := at(i*60, func(e *audit.Event) {
			e.UserID = "user-" + name
			e.Meta = audit.Metadata{EventID: name, Reason: "no_route", Route: "route-" + name, Issuer: "issuer-" + name, Caller: "kind-" + name}
		})
		b.Line(auditlog.Line{Text: []byte(line)})
		frequent := at(i*60, func(e *audit.Event) { e.UserID, e.Meta.Reason, e.Meta.Route = "often", "no_route", "/**" })
		b.Line(auditlog.Line{Text: []byte(frequent)})
	}
	assert.LessOrEqual(t, len(b.routes), maxNames+1)
	assert.LessOrEqual(t, len(b.issuers), maxNames+1)
	assert.LessOrEqual(t, len(b.groups), maxNames+1)
	assert.Len(t, b.callers.index, maxCallers)
	assert.Len(t, b.callers.order, maxCallers)
	assert.LessOrEqual(t, len(b.seen), maxSeen)
	assert.LessOrEqual(t, len(b.time.spans), maxSpans)
	r := b.Report(1)
	assert.Equal(t, uint64(6*maxCallers), r.Refused, "nothing is lost from the sums")
	sum := uint64(0)
	for _, g := range r.Groups {
		sum += g.Refused
	}
	assert.Equal(t, r.Refused, sum)
	assert.False(t, r.CallersExact)
	assert.Equal(t, "often", *r.Callers[0].UserID)
	assert.GreaterOrEqual(t, r.Callers[0].Refused, uint64(3*maxCallers))
}

func BenchmarkLine(b *testing.B) {
	lines := sample()
	builder := NewBuilder()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		builder.Line(auditlog.Line{Text: []byte(lines[i%len(lines)])})
	}
}
