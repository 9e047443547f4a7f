package keys

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"gatehouse/core/clock"
	"gatehouse/core/config"
)

func testSchedule() schedule {
	return schedule{&config.Remote{RefreshSeconds: 600, TimeoutSeconds: 5, MaxStaleSeconds: 3600, MinRefetchSeconds: 10}}
}

func TestRecordsSurviveTheStore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := rapid.Int64Range(0, math.MaxInt64-future).Draw(t, "now")
		moment := func(name string) clock.Mono { return clock.Mono(rapid.Int64Range(0, now+future).Draw(t, name)) }
		r := record{
			seq: rapid.Uint32().Draw(t, "seq"), failures: rapid.Uint32().Draw(t, "failures"), maxAge: rapid.Int32Min(unsaid).Draw(t, "max-age"),
			fetchedAt: moment("fetched"), lastAttempt: moment("attempt"), leaseUntil: moment("lease"),
			foundAt: moment("found"), path: rapid.StringMatching(`(/[a-z]{0,20}){0,2}`).Draw(t, "path"),
			body: rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
		}
		assert.Equal(t, r, decode(r.encode(), clock.Mono(now)))
	})
}

func TestWhatIsNoRecordIsAsGoodAsNone(t *testing.T) {
	none := record{maxAge: unsaid}
	now := clock.Mono(1000 * second)
	good := record{seq: 1, fetchedAt: now, lastAttempt: now, body: []byte("{}")}
	assert.Equal(t, good, decode(good.encode(), now))
	assert.Equal(t, none, decode(nil, now))
	assert.Equal(t, none, decode(good.encode()[:headerBytes-1], now))
	other := good.encode()
	other[0]++
	assert.Equal(t, none, decode(other, now), "another version")
	for _, spoil := range []func(r *record){
		func(r *record) { r.fetchedAt = now + future + 1 },
		func(r *record) { r.lastAttempt = now + future + 1 },
		func(r *record) { r.leaseUntil = now + future + 1 },
		func(r *record) { r.fetchedAt = -1 },
	} {
		bad := good
		spoil(&bad)
		assert.Equal(t, none, decode(bad.encode(), now))
	}
}

// TestAnotherWorkersClockMayBeAheadOfOurs guards against taking a record that was written between
// our look at the clock and our look at the record for garbage, and fetching a second time.
func TestAnotherWorkersClockMayBeAheadOfOurs(t *testing.T) {
	s, now := testSchedule(), clock.Mono(1000*second)
	theirs := record{maxAge: unsaid, lastAttempt: now + 1, leaseUntil: now.Add(1 + s.lease())}
	r := decode(theirs.encode(), now)
	assert.True(t, r.underWay(now))
	assert.False(t, s.refetchable(&r, now))
}

func TestSetsAreFetchedWhenTheyAreDue(t *testing.T) {
	s, start := testSchedule(), clock.Mono(1000*second)
	never := record{maxAge: unsaid}
	assert.True(t, s.due(&never, 1))
	for _, test := range []struct {
		name          string
		r             record
		after, before int64 // seconds after start
	}{
		{"refresh_seconds, less up to a tenth", record{seq: 1, maxAge: unsaid}, 540, 600},
		{"max-age within bounds", record{seq: 1, maxAge: 100}, 90, 100},
		{"max-age below min_refetch_seconds", record{seq: 1, maxAge: 0}, 9, 10},
		{"max-age above refresh_seconds", record{seq: 1, maxAge: 86400}, 540, 600},
		{"the first failure", record{seq: 1, failures: 1}, 1, 1},
		{"the third", record{seq: 1, failures: 3}, 4, 4},
		{"many", record{seq: 1, failures: 1000}, 30, 30},
		{"many without a set", record{failures: 1000}, 5, 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				at := start.Add(rapid.Int64Range(0, 10*second).Draw(t, "at"))
				r := test.r
				r.fetchedAt, r.lastAttempt = at, at
				assert.False(t, s.due(&r, at.Add(test.after*second)-1))
				assert.True(t, s.due(&r, at.Add(test.before*second)))
			})
		})
	}
}

func TestAStaleSetIsFetchedAsOftenAsNone(t *testing.T) {
	s, r := testSchedule(), record{seq: 1, failures: 1000, fetchedAt: 100 * second, lastAttempt: 4000 * second}
	assert.True(t, s.stale(&r, r.lastAttempt))
	assert.False(t, s.due(&r, 4005*second-1))
	assert.True(t, s.due(&r, 4005*second), "every request waits for it")
}

func TestUnknownKeysCauseOneFetchInAWhile(t *testing.T) {
	s := testSchedule()
	assert.True(t, s.refetchable(&record{}, 1))
	r := record{seq: 1, lastAttempt: 100 * second}
	assert.False(t, s.refetchable(&r, 110*second-1))
	assert.True(t, s.refetchable(&r, 110*second))
}

func TestStaleSetsHaveTheTimeOfTheFetchThatIsDue(t *testing.T) {
	s, r := testSchedule(), record{seq: 1, fetchedAt: 100 * second}
	assert.False(t, s.stale(&r, (100+3600+6)*second))
	assert.True(t, s.stale(&r, (100+3600+6)*second+1))
}

func TestMaxAgeIsReadFromCacheControl(t *testing.T) {
	for header, want := range map[string]int32{
		"": unsaid, "public": unsaid, "max-age=300": 300, "public, Max-Age=300": 300, `max-age="60", must-revalidate`: 60,
		"max-age=0": 0, "no-store": unsaid, "max-age=300, no-cache": unsaid, "no-cache, no-store, max-age=0, must-revalidate": unsaid,
		"max-age": unsaid, "max-age=": unsaid, "max-age=-1": unsaid, "max-age=1e3": unsaid, "s-maxage=5": unsaid,
		"max-age=2147483647": math.MaxInt32, "max-age=2147483648": unsaid, "\tmax-age=7 ": 7,
	} {
		assert.Equal(t, want, maxAge(header), header)
	}
}
