package audit_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/audit"
)

func TestTheMembersOfACustomEventBecomeMetadata(t *testing.T) {
	eventType, fields, err := audit.ParseCustom(` {"event_type":"sensitive_operation", "user_id":"mallory", "n" : [1, {"a":null}] } `)
	assert.NoError(t, err)
	assert.Equal(t, "sensitive_operation", eventType)
	assert.Equal(t, []audit.Field{
		{Source: audit.FromUpstream, Name: "user_id", JSON: []byte(`"mallory"`)},
		{Source: audit.FromUpstream, Name: "n", JSON: []byte(`[1, {"a":null}]`)},
	}, fields)
}

func TestBadCustomEventsAreRefused(t *testing.T) {
	const syntax, word, own = "one JSON object", "want event_type", "Gatehouse's own"
	for header, want := range map[string]string{
		"":                           syntax,
		"null":                       syntax,
		`[]`:                         syntax,
		`{"event_type":"a"`:          syntax,
		`{"event_type":"a"} x`:       syntax,
		`{"event_type":"a"}{}`:       syntax,
		`{"event_type":"a","x":}`:    syntax,
		`{"event_type":"a",}`:        syntax,
		`{"x":1,"x":2}`:              syntax,
		`{"x":{"y":1,"\u0079":2}}`:   syntax,
		"{\"event_type\":\"a\xff\"}": syntax,
		`{"event_type":'a'}`:         syntax,
		`{}`:                         word,
		`{"event_type":""}`:          word,
		`{"event_type":null}`:        word,
		`{"event_type":["a"]}`:       word,
		`{"event_type":"a/b"}`:       word,
		`{"event_type":".a"}`:        word,
		`{"event_type":"é"}`:         word,
		`{"event_type":"_a"}`:        word,
		`{"event_type":"1a"}`:        word,
		`{"event_type":"a b"}`:       word,
		`{"event_type":"a\n"}`:       word,
		`{"event_type":"` + strings.Repeat("a", 65) + `"}`:                                 word,
		`{"event_type":"auth_success"}`:                                                    own,
		`{"event_type":"auth_failure"}`:                                                    own,
		`{"event_type":"access_denied"}`:                                                   own,
		`{"event_type":"rate_limited"}`:                                                    own,
		`{"event_type":"request"}`:                                                         own,
		`{"event_type":"Auth_Success"}`:                                                    own,
		`{"event_type":"\u0072equest_error"}`:                                              own,
		`{"event_type":"admin_action"}`:                                                    own,
		`{"event_type":"a","x":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `}`: "16 deep",
		`{"event_type":"a","` + strings.Repeat("n", 65) + `":1}`:                           "name is longer",
		`{"event_type":"a"` + manyMembers(64) + `}`:                                        "64 members",
		`{"event_type":"a","x":"` + strings.Repeat("x", audit.MaxCustomBytes-len(`{"event_type":"a","x":"`)-1): "8192 bytes",
	} {
		if strings.HasPrefix(want, "8192") {
			header += `"}` // one byte too many
		}
		t.Run(shorten(header), func(t *testing.T) {
			eventType, fields, err := audit.ParseCustom(header)
			if assert.ErrorContains(t, err, want) {
				assert.NotContains(t, err.Error(), "\n")
			}
			assert.Empty(t, eventType)
			assert.Nil(t, fields)
		})
	}
}

// shorten makes a subtest's name of a header.
func shorten(header string) string { return header[:min(len(header), 40)] }

func TestCustomEventsMayFillTheirBounds(t *testing.T) {
	for _, header := range []string{
		`{"event_type":"` + strings.Repeat("a", 64) + `"}`,
		`{"event_type":"custom"}`,
		`{"event_type":"User.Login-Failed_2"}`,
		`{"event_type":"a","x":` + strings.Repeat("[", 15) + strings.Repeat("]", 15) + `}`,
		`{"event_type":"a"` + manyMembers(63) + `}`,
		`{"event_type":"a","` + strings.Repeat("n", 64) + `":1}`,
		`{"event_type":"a","x":"` + strings.Repeat("x", audit.MaxCustomBytes-len(`{"event_type":"a","x":""}`)) + `"}`,
	} {
		t.Run(shorten(header), func(t *testing.T) {
			_, _, err := audit.ParseCustom(header)
			assert.NoError(t, err)
		})
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`,"m` + strings.Repeat("x", i) + `":0`)
	}
	return b.String()
}

func FuzzACustomEventThatParsesCanBeRecorded(f *testing.F) {
	f.Add(`{"event_type":"sensitive_operation","data":{"type":"x"}}`)
	f.Add(`{"event_type":"a","reason":1e400,"\u0072oute":"\ud83d\ude00"}`)
	f.Add(`{"event_type":"a"`)
	f.Fuzz(func(t *testing.T, header string) {
		eventType, fields, err := audit.ParseCustom(header)
		if err != nil {
			return
		}
		assert.Regexp(t, `^[A-Za-z][A-Za-z0-9_.-]{0,63}$`, eventType)
		e := audit.Event{Type: audit.TypeCustom, Custom: eventType, UserID: "alice", Meta: audit.Metadata{Extra: fields}}
		line := e.AppendJSON(nil, audit.MaxCustomBytes)
		assert.Equal(t, keys, memberNames(t, line))
		var doc struct{ Metadata map[string]json.RawMessage }
		require.NoError(t, json.Unmarshal(line, &doc))
		assert.Len(t, doc.Metadata, len(unset(map[string]any{}))+len(fields))
	})
}
