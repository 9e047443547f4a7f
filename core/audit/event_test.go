package audit_test

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gatehouse/core/audit"
	"gatehouse/core/clock"
)

var keys = []string{
	"timestamp", "event_type", "user_id", "client_id", "is_m2m", "path", "method", "status_code", "ip_address", "user_agent",
	"metadata",
}

var metaKeys = []string{
	"event_id", "reason", "route", "rule", "caller", "issuer", "m2m_evidence", "duration_ms", "request_id", "origin", "would_be",
	"required", "grpc_status", "phase", "open_event_id",
}

func full() audit.Event {
	return audit.Event{
		Timestamp: clock.Wall(time.Date(2026, 3, 1, 12, 30, 45, 123456789, time.UTC).UnixNano()),
		Type:      audit.TypeAccessDenied,
		UserID:    "alice", ClientID: "web", IsM2M: true,
		Path: "/batch/7", Method: "POST", Status: 403, IP: "192.0.2.1", UserAgent: `curl "8"`,
		Meta: audit.Metadata{
			EventID: "e-1", Reason: "insufficient_scope", Route: "batch", Rule: "per-caller", Caller: "machine",
			Issuer: "https://idp.example", Evidence: "auth0-gty", DurationMS: 0, HasDuration: true, RequestID: "r-1",
			Origin: "rbac", WouldBe: "rate_limited", Phase: "open", OpenEventID: "e-0",
			Extra: []audit.Field{
				{Source: audit.FromClaim, Name: "tenant", Text: "a"},
				{Source: audit.FromClaim, Name: "roles", JSON: []byte("[ \"x\",\n {\"y\": 1.50} ]")},
				{Source: audit.FromHeader, Name: "x-trace", Text: "t"},
			},
		},
	}
}

func TestAnEventWithEverythingSetIsThisLine(t *testing.T) {
	e := full()
	assert.Equal(t, `{"timestamp":"2026-03-01T12:30:45.123456Z","event_type":"access_denied","user_id":"alice","client_id":"web",`+
		`"is_m2m":true,"path":"/batch/7","method":"POST","status_code":403,"ip_address":"192.0.2.1","user_agent":"curl \"8\"",`+
		`"metadata":{"event_id":"e-1","reason":"insufficient_scope","route":"batch","rule":"per-caller","caller":"machine",`+
		`"issuer":"https://idp.example","m2m_evidence":"auth0-gty","duration_ms":0,"request_id":"r-1","origin":"rbac",`+
		`"would_be":"rate_limited","phase":"open","open_event_id":"e-0","tenant":"a","roles":["x",{"y":1.50}],"x-trace":"t"}}`,
		string(e.AppendJSON(nil, 1024)))
}

func TestUnknownValuesAreNull(t *testing.T) {
	e := audit.Event{Type: audit.TypeRequest}
	assert.Equal(t, `{"timestamp":"1970-01-01T00:00:00.000000Z","event_type":"request","user_id":null,"client_id":null,`+
		`"is_m2m":false,"path":null,"method":null,"status_code":null,"ip_address":null,"user_agent":null,`+
		`"metadata":{"event_id":null,"reason":null,"route":null,"rule":null,"caller":null,"issuer":null,"m2m_evidence":null,`+
		`"duration_ms":null,"request_id":null}}`,
		string(e.AppendJSON(nil, 1024)))
}

func TestAppendJSONKeepsWhatDstHolds(t *testing.T) {
	e := audit.Event{}
	assert.Equal(t, "before"+string(e.AppendJSON(nil, 0)), string(e.AppendJSON([]byte("before"), 0)))
}

func TestACustomEventHasItsOwnWord(t *testing.T) {
	e := audit.Event{Type: audit.TypeCustom, Custom: "sensitive_operation"}
	assert.Equal(t, "sensitive_operation", decode(t, e.AppendJSON(nil, 0))["event_type"])
}

func TestThePathHasNoQuery(t *testing.T) {
	for path, want := range map[string]any{"/a?token=secret": "/a", "/a#f": "/a", "/a": "/a", "?x": nil} {
		e := audit.Event{Path: path}
		assert.Equal(t, want, decode(t, e.AppendJSON(nil, 0))["path"], path)
	}
}

func TestStringsAreMadeSafe(t *testing.T) {
	for in, want := range map[string]string{
		`a"b\c`:                     `"a\"b\\c"`,
		"a\nb\rc\td":                `"a\nb\rc\td"`,
		"\x00\x1b[31m\x7f":          `"\u0000\u001b[31m\u007f"`,
		"next\u0085line":            `"next\u0085line"`,
		"line\u2028para\u2029":      `"line\u2028para\u2029"`,
		"a\u202etxt.exe\u202c":      `"a\u202etxt.exe\u202c"`,
		"\u061c\u200b\u2066\ufeff":  `"\u061c\u200b\u2066\ufeff"`,
		"\xff\xc3(":                 `"` + "\ufffd\ufffd" + `("`,
		"\xed\xa0\x80":              `"` + "\ufffd\ufffd\ufffd" + `"`, // a surrogate, which UTF-8 cannot encode
		"gr\u00fc\u00df \U0001f600": `"` + "gr\u00fc\u00df \U0001f600" + `"`,
		"</script>&":                `"</script>&"`,
	} {
		t.Run(strconv.Quote(in), func(t *testing.T) {
			e := audit.Event{UserAgent: in}
			assert.Contains(t, string(e.AppendJSON(nil, 0)), `"user_agent":`+want+`,`)
		})
	}
}

func TestFieldsAreCutBetweenCharacters(t *testing.T) {
	for _, c := range []struct {
		in    string
		limit int
		want  string
	}{
		{"abcdef", 3, "abc"},
		{"abc", 3, "abc"},
		{"a\u00fcb", 2, "a"}, // two bytes don't fit behind the first
		{"a\u00fcb", 3, "a\u00fc"},
		{"\U0001f600", 3, ""},
		{"\xff\xff", 5, "\ufffd"}, // counted as it is written
		{`""""`, 2, `""`},
		{strings.Repeat("x", 2000), 0, strings.Repeat("x", audit.DefaultFieldBytes)},
	} {
		e := audit.Event{UserID: c.in, Meta: audit.Metadata{Route: c.in}}
		got := decode(t, e.AppendJSON(nil, c.limit))
		assert.Equal(t, c.want, got["user_id"], "%q at %d", c.in, c.limit)
		assert.Equal(t, c.want, got["metadata"].(map[string]any)["route"])
	}
}

func TestTheEventIDIsNeverCut(t *testing.T) {
	e := audit.Event{Path: "/a-long-path-that-is-cut", Meta: audit.Metadata{EventID: "0123456789abcdef-17"}}
	line := string(e.AppendJSON(nil, 16))
	assert.Contains(t, line, `"event_id":"0123456789abcdef-17"`)
	assert.Contains(t, line, `"path":"/a-long-path-tha"`)
}

func TestMetadataNamesNeverCollide(t *testing.T) {
	e := audit.Event{Meta: audit.Metadata{Reason: "ours", Extra: []audit.Field{
		{Source: audit.FromClaim, Name: "reason", Text: "c1"},
		{Source: audit.FromClaim, Name: "tenant", Text: "c2"},
		{Source: audit.FromClaim, Name: "tenant", Text: "again"},
		{Source: audit.FromHeader, Name: "tenant", Text: "h1"},
		{Source: audit.FromClaim, Name: "header:tenant", Text: "c3"},
		{Source: audit.FromUpstream, Name: "reason", Text: "e1"},
		{Source: audit.FromUpstream, Name: "would_be", Text: "e2"}, // reserved though unset
		{Source: audit.FromUpstream, Name: "user_id", Text: "mallory"},
		{Source: audit.FromHeader, Name: "not\xffutf8", Text: "h2"},
	}}}
	got := decode(t, e.AppendJSON(nil, 0))
	assert.Nil(t, got["user_id"])
	assert.Equal(t, unset(map[string]any{
		"reason": "ours", "claim:reason": "c1", "tenant": "c2", "header:tenant": "h1", "claim:header:tenant": "c3",
		"event:reason": "e1", "event:would_be": "e2", "user_id": "mallory",
	}), got["metadata"])
}

// unset adds the members that are null when nothing is known. Those from origin on are left out
// then.
func unset(metadata map[string]any) map[string]any {
	for _, name := range metaKeys[:slices.Index(metaKeys, "origin")] {
		if _, ok := metadata[name]; !ok {
			metadata[name] = nil
		}
	}
	return metadata
}

func TestAHeaderNeverTakesAClaimsName(t *testing.T) {
	header := audit.Field{Source: audit.FromHeader, Name: "tenant", Text: "forged"}
	for _, claim := range []audit.Field{{Name: "tenant", Text: "a"}, {Name: "tenant"}} {
		for _, fields := range [][]audit.Field{{header, claim}, {claim, header}} {
			e := audit.Event{Meta: audit.Metadata{Extra: fields}}
			meta := decode(t, e.AppendJSON(nil, 0))["metadata"].(map[string]any)
			assert.Equal(t, "forged", meta["header:tenant"])
			if claim.Text == "" {
				assert.NotContains(t, meta, "tenant")
			} else {
				assert.Equal(t, claim.Text, meta["tenant"])
			}
		}
	}
}

func TestEveryFixedNameIsReserved(t *testing.T) {
	for _, name := range metaKeys {
		e := audit.Event{Meta: audit.Metadata{Extra: []audit.Field{{Source: audit.FromHeader, Name: name, Text: "x"}}}}
		assert.Equal(t, unset(map[string]any{"header:" + name: "x"}), decode(t, e.AppendJSON(nil, 0))["metadata"])
	}
}

func TestAJSONFieldThatCannotBeRecordedBecomesAString(t *testing.T) {
	for in, want := range map[string]any{
		`{"a":1}`:                  map[string]any{"a": 1.0},
		`{"a":1`:                   `{"a":1`,
		`{"a":1,"a":2}`:            `{"a":1,"a":2}`,
		`[1] [2]`:                  `[1] [2]`,
		`["aaaaaaaaaaaaaaaaaaaa"]`: `["aaaaaaaaaaaaaaaaaa`,
		"":                         "",
	} {
		e := audit.Event{Meta: audit.Metadata{Extra: []audit.Field{{Name: "f", JSON: []byte(in)}}}}
		assert.Equal(t, want, decode(t, e.AppendJSON(nil, 20))["metadata"].(map[string]any)["f"], in)
	}
}

func TestAJSONFieldStaysOnTheLine(t *testing.T) {
	e := audit.Event{Meta: audit.Metadata{Extra: []audit.Field{{Name: "f", JSON: []byte("[\n\"\u2028\",\r\n\"\\u2029\u0085\x7f\"]")}}}}
	assert.Contains(t, string(e.AppendJSON(nil, 0)), `"f":["\u2028","\u2029\u0085\u007f"]`)
}

func TestAJSONFieldHasNoWhiteSpaceAndOneSpellingOfItsStrings(t *testing.T) {
	in := "\t[ \"\\u0041\\/\\b\\f\\n\\u00e9\\ud83d\\ude00 \\\"\\\\\" , { \"a\\u0020b\" : [ true\n, null , 1 \r, -2e3 ] , \"\" : { } } ] \n"
	e := audit.Event{Meta: audit.Metadata{Extra: []audit.Field{{Name: "f", JSON: []byte(in)}}}}
	line := string(e.AppendJSON(nil, 0))
	assert.Contains(t, line, `"f":["A/\u0008\u000c\né😀 \"\\",{"a b":[true,null,1,-2e3],"":{}}]}`)
	var want any
	require.NoError(t, json.Unmarshal([]byte(in), &want))
	assert.Equal(t, want, decode(t, []byte(line))["metadata"].(map[string]any)["f"])
}

func TestNumbersThatReadersRoundDifferentlyAreStrings(t *testing.T) {
	for in, want := range map[string]string{
		`[0,-1,1.5,1e5,-0.25E-3]`:               `[0,-1,1.5,1e5,-0.25E-3]`,
		`[9007199254740991,-9007199254740991]`:  `[9007199254740991,-9007199254740991]`,
		`[9007199254740992,-9007199254740993]`:  `["9007199254740992","-9007199254740993"]`,
		`{"id":12345678901234567890}`:           `{"id":"12345678901234567890"}`,
		`[1e400,-1e400,1e-400]`:                 `["1e400","-1e400",1e-400]`,
		`["1e400","\"9007199254740993","\\",9]`: `["1e400","\"9007199254740993","\\",9]`,
		`9007199254740993`:                      `"9007199254740993"`,
	} {
		t.Run(in, func(t *testing.T) {
			e := audit.Event{Meta: audit.Metadata{Extra: []audit.Field{{Name: "f", JSON: []byte(in)}}}}
			assert.Contains(t, string(e.AppendJSON(nil, 0)), `"f":`+want+`}`)
		})
	}
}

func TestAppendTimeAgreesWithTheTimePackage(t *testing.T) {
	check := func(t require.TestingT, ns int64) {
		want := time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.000000Z")
		require.Equal(t, ">"+want, string(audit.AppendTime([]byte(">"), clock.Wall(ns))))
	}
	for _, ns := range []int64{0, -1, 1, math.MaxInt64, math.MinInt64, 951_782_399_999_999_999, 951_868_800_000_000_000} {
		check(t, ns)
	}
	for day := time.Date(1896, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2110; day = day.AddDate(0, 0, 1) {
		check(t, day.UnixNano())
		check(t, day.UnixNano()-1)
	}
	rapid.Check(t, func(t *rapid.T) { check(t, rapid.Int64().Draw(t, "ns")) })
}

func TestWritingAnEventAllocatesNothingWhenThereIsRoom(t *testing.T) {
	e := full()
	e.Meta.Extra[1].JSON = nil
	e.UserAgent = "Mozilla/5.0 \u00fc \xff \n"
	dst := make([]byte, 0, 4096)
	assert.Zero(t, testing.AllocsPerRun(100, func() { dst = e.AppendJSON(dst[:0], 1024) }))
}

func BenchmarkAppendJSON(b *testing.B) {
	e := full()
	e.Meta.Extra = nil
	dst := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		dst = e.AppendJSON(dst[:0], 1024)
	}
}

func FuzzAnyBytesInAnyFieldMakeOneStrictLine(f *testing.F) {
	f.Add("alice", "/a", "curl/8", "tenant", "x", []byte(`{"a":[1,2]}`), 1024)
	f.Add("\x00\xff\n\u2028\"\\", "/a?b", "\U0001f600\xed\xa0\x80", "reason", "header:x", []byte("[1,\n\"\\ud800\"]"), 7)
	f.Add("", "?", "", "\xff", "claim:x", []byte(`"\u2028"`), 1)
	f.Add("", "", "", "", "", []byte("\"\x80\""), -1)
	f.Add("", "", "", "a", "b", []byte("\"\u2029\u0085\x7f\""), 64)
	f.Fuzz(func(t *testing.T, a, b, c, name, other string, raw []byte, limit int) {
		e := audit.Event{
			Type: audit.Type(len(a) % 8), Custom: b, UserID: a, ClientID: b, Path: c, Method: a, Status: len(b), IP: c, UserAgent: b,
			Meta: audit.Metadata{
				EventID: a, Reason: b, Route: c, Rule: a, Caller: b, Issuer: c, Evidence: a, DurationMS: int64(limit), HasDuration: true,
				RequestID: b, Origin: c, WouldBe: a,
				Extra: []audit.Field{
					{Source: audit.FromClaim, Name: name, Text: a}, {Source: audit.FromHeader, Name: name, JSON: raw},
					{Source: audit.FromHeader, Name: other, Text: c}, {Source: audit.FromUpstream, Name: other, JSON: raw},
					{Source: audit.FromUpstream, Name: a, JSON: raw}, {Source: audit.FromUpstream, Name: name, Text: b},
				},
			},
		}
		line := e.AppendJSON(nil, limit)
		for _, r := range string(line) {
			require.False(t, r < ' ' || r == 0x7f || r == 0x85 || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r), "%q", line)
		}
		require.True(t, utf8.Valid(line))
		require.True(t, json.Valid(line), "%q", line)
		require.True(t, jsontext.Value(line).IsValid(), "duplicate members: %q", line)
		require.Equal(t, keys, memberNames(t, line))

		var doc struct {
			UserID   *string         `json:"user_id"`
			Metadata json.RawMessage `json:"metadata"`
		}
		require.NoError(t, json.Unmarshal(line, &doc))
		inOrder(t, memberNames(t, doc.Metadata))
		if doc.UserID != nil {
			wholeCharacters(t, a, *doc.UserID, limit)
		}
	})
}

// wholeCharacters checks got against the simplest description of cutting: as many whole characters
// of s as fit.
func wholeCharacters(t *testing.T, s, got string, limit int) {
	t.Helper()
	if limit < 1 {
		limit = audit.DefaultFieldBytes
	}
	want := ""
	for _, r := range s { // range yields U+FFFD for each byte that isn't UTF-8
		if len(want)+len(string(r)) > limit {
			break
		}
		want += string(r)
	}
	require.Equal(t, want, got)
}

// inOrder checks that the fixed members come first and in order.
func inOrder(t *testing.T, names []string) {
	t.Helper()
	rest := metaKeys
	for i, name := range names {
		j := 0
		for j < len(rest) && rest[j] != name {
			j++
		}
		if j == len(rest) {
			for _, extra := range names[i:] {
				require.NotContains(t, metaKeys, extra)
			}
			return
		}
		rest = rest[j+1:]
	}
}

func memberNames(t *testing.T, object []byte) (names []string) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(object)))
	_, err := d.Token()
	require.NoError(t, err)
	for d.More() {
		name, err := d.Token()
		require.NoError(t, err)
		names = append(names, name.(string))
		var skipped json.RawMessage
		require.NoError(t, d.Decode(&skipped))
	}
	return names
}

func decode(t *testing.T, line []byte) (doc map[string]any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(line, &doc), "%s", line)
	return doc
}
