package claims_test

import (
	"encoding/json"
	"strings"
	"testing"

	"gatehouse/core/claims"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func parse(t require.TestingT, doc string) claims.Set {
	s, err := claims.Parse([]byte(doc))
	require.NoError(t, err)
	return s
}

func TestParseRefusesWhatIsNotExactlyOneStrictObject(t *testing.T) {
	for name, doc := range map[string]string{
		"nothing":                     "",
		"white space":                 "  ",
		"a list":                      `[]`,
		"a string":                    `"a"`,
		"null":                        `null`,
		"a second value":              `{} {}`,
		"a trailing comma":            `{"a":1,}`,
		"trailing garbage":            `{}x`,
		"a trailing NUL":              "{}\x00",
		"a byte order mark":           "\ufeff{}",
		"no end":                      `{"a":1`,
		"no end within a string":      `{"a":"`,
		"single quotes":               `{'a':1}`,
		"a bare name":                 `{a:1}`,
		"a comment":                   `{/**/}`,
		"a duplicate":                 `{"a":1,"a":1}`,
		"a duplicate by escape":       `{"a":1,"\u0061":1}`,
		"a duplicate further down":    `{"x":[{"a":1,"a":2}]}`,
		"invalid UTF-8":               "{\"a\":\"\xff\"}",
		"invalid UTF-8 in a name":     "{\"\xff\":1}",
		"an overlong encoding":        "{\"a\":\"\xc0\xaf\"}",
		"a lone surrogate":            `{"a":"\ud800"}`,
		"a control character":         "{\"a\":\"\n\"}",
		"a bad escape":                `{"a":"\x41"}`,
		"a leading zero":              `{"a":01}`,
		"a plus sign":                 `{"a":+1}`,
		"a bare point":                `{"a":1.}`,
		"NaN":                         `{"a":NaN}`,
		"infinity":                    `{"a":Infinity}`,
		"True":                        `{"a":True}`,
		"17 levels of lists":          `{"a":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `}`,
		"17 levels of objects":        strings.Repeat(`{"a":`, 17) + `1` + strings.Repeat("}", 17),
		"a hundred thousand brackets": `{"a":` + strings.Repeat("[", 100_000),
	} {
		_, err := claims.Parse([]byte(doc))
		assert.Error(t, err, name)
	}
}

func TestParseAcceptsSixteenLevels(t *testing.T) {
	s := parse(t, strings.Repeat(`{"a":`, 16)+`1`+strings.Repeat("}", 16))
	assert.True(t, s.Get(strings.TrimSuffix(strings.Repeat("a.", 16), ".")).Exists())
}

func TestErrorsDoNotQuoteTheDocument(t *testing.T) {
	_, err := claims.Parse([]byte(`{"a":"s3cret","s3cret":1,"s3cret":2}`))
	assert.NotContains(t, err.Error(), "s3cret")
}

func TestRawIsTheObjectWithoutItsSurroundings(t *testing.T) {
	assert.Equal(t, `{"a": 1}`, parse(t, " \n{\"a\": 1}\t ").Raw())
}

func TestGetTakesTheLiteralMemberThenThePath(t *testing.T) {
	s := parse(t, `{"a.b":"literal","a":{"b":"path","c":{"d":"deep","e.f":"mixed"}},"x.y":{"z":"dotted"},"https://x/y":1,
		"n":null,"e":"","\u0065\u0073c":"escaped","é":"beyond ASCII","list":[{"a":1}]}`)
	for name, want := range map[string]string{
		"a.b": "literal", "a.c.d": "deep", "a.c.e.f": "mixed", "x.y.z": "dotted", "esc": "escaped", "é": "beyond ASCII",
	} {
		got, ok := s.String(name)
		assert.True(t, ok, name)
		assert.Equal(t, want, got)
	}
	assert.Equal(t, claims.Number, s.Get("https://x/y").Kind())
	for _, name := range []string{"", ".", "a.", ".a", "a.x", "a.b.c", "a.c.d.", "list.a", "list.0", "b", "A",
		`"a"`, `"é"`, `"\u0065\u0073c"`, `\u0065\u0073c`} {
		assert.False(t, s.Get(name).Exists(), "%q", name)
	}
	assert.True(t, s.Get("n").Exists())
	assert.False(t, s.Has("n"))
	assert.True(t, s.Has("e"))
	_, ok := s.String("e")
	assert.False(t, ok, "an empty string is no text")
	assert.False(t, claims.Set{}.Has("a"))
}

func TestKindsFollowJSON(t *testing.T) {
	s := parse(t, `{"null":null,"t":true,"f":false,"n":-1,"s":"a\"b\\","l":[1,"a",[2],{"b":"]"},null] , "o" : {"a" : [ ] }}`)
	for name, want := range map[string]claims.Kind{"none": claims.Absent, "null": claims.Null, "t": claims.Bool,
		"f": claims.Bool, "n": claims.Number, "s": claims.String, "l": claims.List, "o": claims.Object} {
		assert.Equal(t, want, s.Get(name).Kind(), name)
	}
	var kinds []claims.Kind
	for _, e := range s.Get("l").Elements() {
		kinds = append(kinds, e.Kind())
	}
	assert.Equal(t, []claims.Kind{claims.Number, claims.String, claims.List, claims.Object, claims.Null}, kinds)
	text, ok := s.Get("s").Text()
	assert.True(t, ok)
	assert.Equal(t, `a"b\`, text)
	assert.Empty(t, s.Get("o.a").Elements())
	assert.Nil(t, s.Get("s").Elements())
	assert.False(t, s.Get("s").Member("a").Exists())
}

func TestStringsAndWords(t *testing.T) {
	s := parse(t, `{"one":"a  b c ","list":["a b",1,null,"c",["d"]],"n":1,"blank":"  "}`)
	assert.Equal(t, []string{"a  b c "}, s.Strings("one"))
	assert.Equal(t, []string{"a", "b", "c"}, s.Words("one"))
	assert.Equal(t, []string{"a b", "c"}, s.Strings("list"))
	assert.Equal(t, []string{"a b", "c"}, s.Words("list"))
	assert.Empty(t, s.Words("blank"))
	assert.Nil(t, s.Strings("n"))
	assert.Nil(t, s.Words("none"))
	assert.LessOrEqual(t, cap(parse(t, `{"s":"a`+strings.Repeat(" ", 1000)+`b"}`).Words("s")), 4, "spaces take no room")
}

// genValue draws a JSON value of at most the depth.
func genValue(depth int) *rapid.Generator[any] {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", `"`, `\`, `\"]}`, "a.b", "é\u2028", "\x00"}))
	leaf := rapid.OneOf(rapid.Map(text, func(s string) any { return s }),
		rapid.Map(rapid.Float64(), func(f float64) any { return f }),
		rapid.SampledFrom([]any{nil, true, false, 0, -1.5e-7}))
	if depth == 0 {
		return leaf
	}
	return rapid.OneOf(leaf,
		rapid.Map(rapid.SliceOfN(rapid.Deferred(func() *rapid.Generator[any] { return genValue(depth - 1) }), 0, 4),
			func(l []any) any { return l }),
		rapid.Map(rapid.MapOfN(text, rapid.Deferred(func() *rapid.Generator[any] { return genValue(depth - 1) }), 0, 4),
			func(m map[string]any) any { return m }))
}

func TestMembersAreThoseOfEncodingJSON(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"a", "a.b", `"`, "{"}))
	gen := rapid.MapOfN(text, genValue(3), 0, 6)
	rapid.Check(t, func(rt *rapid.T) {
		want := gen.Draw(rt, "claims")
		doc, err := json.Marshal(want)
		require.NoError(rt, err)
		if rapid.Bool().Draw(rt, "indent") {
			doc, err = json.MarshalIndent(want, " ", "\t")
			require.NoError(rt, err)
		}
		require.NoError(rt, json.Unmarshal(doc, &want)) // as JSON has it: invalid UTF-8 replaced
		s := parse(rt, string(doc))
		for name, v := range want {
			requireSame(rt, v, s.Get(name))
		}
	})
}

func requireSame(t *rapid.T, want any, got claims.Value) {
	var back any
	require.NoError(t, json.Unmarshal([]byte(got.Raw()), &back))
	require.Equal(t, want, back)
	switch want := want.(type) {
	case string:
		text, ok := got.Text()
		require.True(t, ok)
		require.Equal(t, want, text)
	case []any:
		require.Len(t, got.Elements(), len(want))
		for i, e := range got.Elements() {
			requireSame(t, want[i], e)
		}
	case map[string]any:
		for name, v := range want {
			requireSame(t, v, got.Member(name))
		}
	}
}

// FuzzParse holds that what is accepted is valid for encoding/json, and that everything in it can
// be walked.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"iss":"https://idp.example","sub":"a","aud":["b","c"],"exp":1300819380,"nbf":1.5e9}`,
		`{"a":{"b":{"c":[1,2,{"d":null}]}},"a.b":true}`, ` { "\u0061" : "\ud83d\ude00\n" } `, `{"a":1,"a":2}`,
		`{"a":"\`, `{"a":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}`, "{\"\xff\":1}", `{"a":"]}\"","b":[",","{"]}`,
	} {
		f.Add([]byte(seed), "a.b")
	}
	f.Add([]byte(`{"é":1,"\n":2}`), `"é"`)
	f.Fuzz(func(t *testing.T, doc []byte, name string) {
		s, err := claims.Parse(doc)
		if err != nil {
			return
		}
		var all map[string]json.RawMessage
		if err := json.Unmarshal(doc, &all); err != nil {
			t.Fatalf("accepted %q: %v", doc, err)
		}
		for member, raw := range all {
			if got := s.Get(member).Raw(); got != string(raw) {
				t.Fatalf("%q: want %q, got %q", member, raw, got)
			}
			walk(t, s.Get(member))
		}
		v := s.Get(name)
		if want := find(doc, name); v.Raw() != want {
			t.Fatalf("%q in %q: want %q, got %q", name, doc, want, v.Raw())
		}
		walk(t, v)
		s.Words(name)
		if _, ok := s.Date(name); ok != (v.Kind() == claims.Number) {
			t.Fatalf("date of %q", v.Raw())
		}
	})
}

// find is Get by encoding/json: a member of that name, else a path.
func find(doc []byte, name string) string {
	var all map[string]json.RawMessage
	if json.Unmarshal(doc, &all) != nil {
		return "" // not an object
	}
	if v, ok := all[name]; ok {
		return string(v)
	}
	for i := range len(name) {
		if name[i] == '.' {
			if v := find(all[name[:i]], name[i+1:]); v != "" {
				return v
			}
		}
	}
	return ""
}

func walk(t *testing.T, v claims.Value) {
	if v.Exists() && !json.Valid([]byte(v.Raw())) {
		t.Fatalf("not a value: %q", v.Raw())
	}
	v.Text()
	for _, e := range v.Elements() {
		walk(t, e)
	}
	v.Member("a")
}

func BenchmarkParse(b *testing.B) {
	doc := []byte(`{"exp":1700000000,"iat":1699999700,"jti":"f1b2c3d4-0000-1111-2222-333344445555","iss":"https://idp.example/realms/main","aud":["orders","account"],"sub":"0b1c2d3e-aaaa-bbbb-cccc-ddddeeeeffff","typ":"Bearer","azp":"web","realm_access":{"roles":["offline_access","user"]},"scope":"openid profile email","email":"a@example.com"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := claims.Parse(doc); err != nil {
			b.Fatal(err)
		}
	}
}
