package metadata_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"pgregory.net/rapid"

	"gatehouse/core"
	"gatehouse/core/claims"
	"gatehouse/core/reason"
	"gatehouse/filter/internal/metadata"
)

var source = metadata.Source{Filter: "jwt", Key: "payload", FailedStatusKey: "fail"}

// message is what Envoy gives as its property metadata.
func message(t testing.TB, filters map[string]map[string]any) (out []byte) {
	t.Helper()
	for name, values := range filters {
		s, err := structpb.NewStruct(values)
		require.NoError(t, err)
		out = append(out, entry(name, marshal(t, s))...)
	}
	return out
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	require.NoError(t, err)
	return b
}

// entry is an entry of the map that is field 1 of a message.
func entry(key string, value []byte) []byte {
	e := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), key)
	e = protowire.AppendBytes(protowire.AppendTag(e, 2, protowire.BytesType), value)
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), e)
}

// payload is a message with these claims, as JSON.
func payload(t testing.TB, doc string) []byte {
	t.Helper()
	var values map[string]any
	require.NoError(t, json.Unmarshal([]byte(doc), &values))
	return message(t, map[string]map[string]any{"jwt": {"payload": values}})
}

func TestClaimsKeepTheirTypes(t *testing.T) {
	for _, doc := range []string{
		`{}`,
		`{"sub":"alice"}`,
		`{"text":"\u0001"}`, `{"text":"\u0000"}`, // the bytes of a boolean in Envoy's other properties
		`{"flag":true}`, `{"flag":false}`,
		`{"text":"\u0000\u0000\u0000\u0000\u0000\u0000\u001c@"}`, // the bytes of 7
		`{"number":7}`, `{"number":-0.5}`, `{"number":1795509696}`, `{"number":1e+300}`, `{"number":1e-7}`,
		`{"text":"7"}`, `{"text":"true"}`, `{"text":"null"}`, `{"text":""}`,
		`{"nothing":null}`,
		`{"list":["a",null,1,true,[],{}]}`,
		`{"list":[]}`, `{"object":{}}`,
		`{"list":["admins"]}`, `{"object":{"admins":""}}`, // the same bytes in Envoy's other properties
		`{"deep":{"in":{"list":["x","y"]}}}`,
		`{"a.b":"literal","a":{"b":"path"}}`,
		`{"":"no name"}`,
	} {
		t.Run(doc, func(t *testing.T) {
			found := source.Read(payload(t, doc))
			require.True(t, found.Present)
			assert.Equal(t, reason.None, found.Failure)
			assert.JSONEq(t, doc, found.Claims.Raw())
		})
	}
}

func TestNumbersAreWrittenAsIssuersWriteThem(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0", 7: "7", -3: "-3", 1.25: "1.25", 1795509696: "1795509696", 1e20: "100000000000000000000", 1e21: "1e+21", 1e-6: "0.000001",
		1e-7: "1e-07", math.MaxFloat64: "1.7976931348623157e+308",
	} {
		found := source.Read(message(t, map[string]map[string]any{"jwt": {"payload": map[string]any{"n": value}}}))
		assert.Equal(t, `{"n":`+want+`}`, found.Claims.Raw())
	}
}

func TestWithoutClaimsTheFailureStatusDecides(t *testing.T) {
	status := func(code any) map[string]any {
		return map[string]any{"fail": map[string]any{"code": code, "message": "Jwt is expired"}}
	}
	for _, test := range []struct {
		name    string
		filters map[string]map[string]any
		want    core.ExternalClaims
	}{
		{"no metadata", nil, core.ExternalClaims{}},
		{"another filter's", map[string]map[string]any{"other": {"payload": map[string]any{"sub": "eve"}}}, core.ExternalClaims{}},
		{"neither key", map[string]map[string]any{"jwt": {"header": map[string]any{}}}, core.ExternalClaims{}},
		{"no token", map[string]map[string]any{"jwt": status(1)}, core.ExternalClaims{}},
		{"an expired token", map[string]map[string]any{"jwt": status(3)}, core.ExternalClaims{Failure: reason.ExpiredToken}},
		{"a code of another type", map[string]map[string]any{"jwt": status("1")}, core.ExternalClaims{Failure: reason.MalformedToken}},
		{"a code of null", map[string]map[string]any{"jwt": status(nil)}, core.ExternalClaims{Failure: reason.MalformedToken}},
		{"no code", map[string]map[string]any{"jwt": {"fail": map[string]any{}}}, core.ExternalClaims{Failure: reason.MalformedToken}},
		{"a status that is no object", map[string]map[string]any{"jwt": {"fail": 1}}, core.ExternalClaims{Failure: reason.MalformedToken}},
		{"claims that are no object", map[string]map[string]any{"jwt": {"payload": "sub"}}, core.ExternalClaims{Failure: reason.MalformedToken}},
		{"claims that are null", map[string]map[string]any{"jwt": {"payload": nil}}, core.ExternalClaims{Failure: reason.MalformedToken}},
	} {
		t.Run(test.name, func(t *testing.T) {
			assert.Equal(t, test.want, source.Read(message(t, test.filters)))
		})
	}
	unconfigured := metadata.Source{Filter: "jwt", Key: "payload"}
	assert.Equal(t, core.ExternalClaims{}, unconfigured.Read(message(t, map[string]map[string]any{"jwt": status(3)})))
}

func TestWhatTheMessageDoesntSayForSureIsRefused(t *testing.T) {
	text := func(s string) []byte { return marshal(t, structpb.NewStringValue(s)) }
	object := func(fields ...[]byte) []byte { // a google.protobuf.Value
		return protowire.AppendBytes(protowire.AppendTag(nil, 5, protowire.BytesType), []byte(strings.Join(strs(fields), "")))
	}
	withClaims := func(claims ...[]byte) []byte { return entry("jwt", entry("payload", object(claims...))) }
	require.True(t, source.Read(withClaims(entry("sub", text("alice")))).Present, "the test writes messages right")
	double := protowire.AppendFixed64(protowire.AppendTag(nil, 2, protowire.Fixed64Type), math.Float64bits(math.NaN()))
	flag := protowire.AppendVarint(protowire.AppendTag(nil, 4, protowire.VarintType), 2)
	deep := `{"a":` + strings.Repeat(`[`, claims.MaxDepth) + strings.Repeat(`]`, claims.MaxDepth) + `}`
	for name, b := range map[string][]byte{
		"a claim twice":               withClaims(entry("sub", text("alice")), entry("sub", text("eve"))),
		"the claims twice":            entry("jwt", append(entry("payload", object()), entry("payload", object(entry("sub", text("eve"))))...)),
		"the filter twice":            append(withClaims(), withClaims(entry("sub", text("eve")))...),
		"a value of two kinds":        withClaims(entry("sub", append(text("alice"), text("eve")...))),
		"a value of no kind":          withClaims(entry("sub", nil)),
		"not a number":                withClaims(entry("exp", double)),
		"a boolean beyond two values": withClaims(entry("verified", flag)),
		"text that isn't UTF-8":       withClaims(entry("sub", protowire.AppendBytes(protowire.AppendTag(nil, 3, protowire.BytesType), []byte{0xff}))),
		"a name that isn't UTF-8":     withClaims(entry("\xff", text("alice"))),
		"an unknown field of a value": withClaims(entry("sub", protowire.AppendString(protowire.AppendTag(nil, 7, protowire.BytesType), "x"))),
		"too deep":                    payload(t, deep),
		"cut short":                   withClaims(entry("sub", text("alice")))[:20],
		"a group":                     {0x0b, 0x0c},
		"field 0":                     {0x02, 0x00},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, core.ExternalClaims{Failure: reason.MalformedToken}, source.Read(b))
		})
	}
}

func strs(parts [][]byte) (out []string) {
	for _, p := range parts {
		out = append(out, string(p))
	}
	return out
}

// TestAnyClaimsReadAsTheyWere compares with protobuf's own library.
func TestAnyClaimsReadAsTheyWere(t *testing.T) {
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		leaves := []*rapid.Generator[any]{
			rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.String().AsAny(),
			rapid.Float64Range(-1e300, 1e300).AsAny(), rapid.Int32().AsAny(),
		}
		if depth > 0 {
			leaves = append(leaves, rapid.SliceOfN(value(depth-1), 0, 4).AsAny(), rapid.MapOfN(rapid.String(), value(depth-1), 0, 4).AsAny())
		}
		return rapid.OneOf(leaves...)
	}
	object := rapid.MapOfN(rapid.String(), value(4), 0, 6)
	rapid.Check(t, func(t *rapid.T) {
		want, other := object.Draw(t, "claims"), object.Draw(t, "other")
		w, err := structpb.NewStruct(map[string]any{"payload": want, "header": other})
		if err != nil {
			t.Skip("text that isn't UTF-8")
		}
		o, err := structpb.NewStruct(other)
		if err != nil {
			t.Skip("text that isn't UTF-8")
		}
		ws, err := proto.Marshal(w)
		require.NoError(t, err)
		os, err := proto.Marshal(o)
		require.NoError(t, err)
		found := source.Read(append(entry("other", os), entry("jwt", ws)...))
		require.True(t, found.Present)
		doc, err := json.Marshal(w.Fields["payload"].GetStructValue().AsMap())
		require.NoError(t, err)
		var wantJSON, gotJSON any
		require.NoError(t, json.Unmarshal(doc, &wantJSON))
		require.NoError(t, json.Unmarshal([]byte(found.Claims.Raw()), &gotJSON))
		require.Equal(t, wantJSON, gotJSON)
	})
}

// FuzzRead holds what any bytes may give: claims that protobuf's own library reads as the same
// JSON, or no claims.
func FuzzRead(f *testing.F) {
	f.Add([]byte{})
	f.Add(payload(f, `{"sub":"alice","exp":1795509696,"aud":["a",null],"deep":{"x":{"y":true}}}`))
	f.Add(message(f, map[string]map[string]any{"jwt": {"fail": map[string]any{"code": 3}}}))
	f.Add(message(f, map[string]map[string]any{"a": {"b": "c"}, "jwt": {"payload": map[string]any{"sub": "\x01"}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		found := source.Read(b)
		if !found.Present {
			return
		}
		require.Equal(t, reason.None, found.Failure)
		// A message that is read has a filter "jwt", so a Struct, and in it a Struct "payload".
		var s structpb.Struct
		filter := field(t, b, "jwt")
		require.NoError(t, proto.Unmarshal(filter, &s))
		doc, err := json.Marshal(s.Fields["payload"].GetStructValue().AsMap())
		require.NoError(t, err)
		var want, got any
		require.NoError(t, json.Unmarshal(doc, &want))
		require.NoError(t, json.Unmarshal([]byte(found.Claims.Raw()), &got))
		require.Equal(t, want, got)
	})
}

// field finds an entry of a map by protobuf's own library.
func field(t *testing.T, b []byte, key string) []byte {
	t.Helper()
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		require.Positive(t, n)
		b = b[n:]
		if number != 1 || kind != protowire.BytesType {
			n = protowire.ConsumeFieldValue(number, kind, b)
			require.Positive(t, n)
			b = b[n:]
			continue
		}
		e, n := protowire.ConsumeBytes(b)
		require.Positive(t, n)
		b = b[n:]
		var k string
		var value []byte
		for len(e) > 0 {
			number, _, n := protowire.ConsumeTag(e)
			require.Positive(t, n)
			v, m := protowire.ConsumeBytes(e[n:])
			require.Positive(t, m)
			e = e[n+m:]
			if number == 1 {
				k = string(v)
			} else {
				value = v
			}
		}
		if k == key {
			return value
		}
	}
	require.Fail(t, "the message lacks the filter that was read")
	return nil
}
