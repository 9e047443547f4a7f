package claims_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"gatehouse/core/claims"
)

// strict is what Parse promises, by another parser: jsontext refuses duplicates and anything but
// JSON in UTF-8.
func strict(doc []byte) bool {
	d := jsontext.NewDecoder(bytes.NewReader(doc))
	if d.PeekKind() != '{' {
		return false
	}
	for {
		if _, err := d.ReadToken(); err != nil || d.StackDepth() > claims.MaxDepth {
			return false
		}
		if d.StackDepth() == 0 {
			_, err := d.ReadToken()
			return errors.Is(err, io.EOF)
		}
	}
}

// pieces are what documents are put together from.
var pieces = []string{
	`{`, `}`, `[`, `]`, `,`, `:`, ` `, "\t", "\n", "\r", "\v", "\x00", `"`, `"a"`, `"b"`, `"\u0061"`, `"\u00e9"`, `"é"`, "\"\xff\"",
	`"\ud83d\ude00"`, `"\ud83d"`, `"\x"`, `"\u00"`, `\`, `"\\"`, `"\""`, `""`, `0`, `-`, `-0`, `1`, `01`, `.5`, `1.`, `1.5`, `1e`,
	`1e5`, `1E+5`, `1e-5`, `1e+`, `+1`, `true`, `false`, `null`, `tru`, `nullx`, `NaN`, `"a":1`, `{"a":1}`, `[1,2]`, `"a":{`, `"b":[`,
}

// FuzzParseAgreesWithJSONText holds that Parse takes exactly what jsontext takes. Each byte of plan
// is a piece of the document; plan itself is a document, too.
func FuzzParseAgreesWithJSONText(f *testing.F) {
	for _, seed := range []string{"", `{}`, `{"a":1}x`, `{"a":"\ud800"}`, "{\"\xc0\xaf\":1}", `{"a":-}`, `{"a":1.}`, `{"a":{"b":1,"b":2}}`,
		"\x00\x0d\x05\x1d\x01", "\x00\x2d\x04\x2f\x01", "\x00\x31\x2e\x01\x01"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, plan []byte) {
		var built strings.Builder
		for _, b := range plan {
			built.WriteString(pieces[int(b)%len(pieces)])
		}
		for _, doc := range []string{string(plan), built.String(), "{" + built.String() + "}", `{"a":` + string(plan) + `}`, `{"` + string(plan) + `":1}`} {
			if _, err := claims.Parse([]byte(doc)); (err == nil) != strict([]byte(doc)) {
				t.Fatalf("%q: %v", doc, err)
			}
		}
	})
}

// TestManyNamesAreComparedToo crosses the number of names from which Parse keeps them in a map.
func TestManyNamesAreComparedToo(t *testing.T) {
	for n := range 100 {
		var doc strings.Builder
		for i := range n {
			doc.WriteString(`"` + strings.Repeat("x", i) + `":{"a":1,"b":[{"a":2}]},`)
		}
		for name, end := range map[string]string{"fresh": `"y":1`, "the first": `"":1`, "the last": `"` + strings.Repeat("x", max(n-1, 0)) + `":1`} {
			for _, d := range []string{"{" + doc.String() + end + "}", `{"x":[{` + doc.String() + end + "}]}"} {
				if _, err := claims.Parse([]byte(d)); (err == nil) != strict([]byte(d)) {
					t.Fatalf("%d names, then %s: %v", n, name, err)
				}
			}
		}
	}
}

// TestMemoryIsLinearHoweverNamesAreSpread has names that are many, escaped, or in many small
// objects.
func TestMemoryIsLinearHoweverNamesAreSpread(t *testing.T) {
	numbered := func(n int, format string) string {
		var out strings.Builder
		for i := range n {
			fmt.Fprintf(&out, format, i)
		}
		return out.String()
	}
	for name, doc := range map[string]string{
		"many names":                 `{` + numbered(20_000, `"%d":0,`) + `"z":0}`,
		"many names with escapes":    `{` + numbered(20_000, `"\n%d":0,`) + `"z":0}`,
		"many names beyond ASCII":    `{` + numbered(20_000, `"é%d":0,`) + `"z":0}`,
		"many names further down":    `{"a":[{` + numbered(20_000, `"%d":0,`) + `"z":0}]}`,
		"small objects behind names": `{` + numbered(32, `"%d":0,`) + `"z":[` + numbered(20_000, `{"a":%d},`) + `0]}`,
		"objects of thirty names":    `{"z":[` + strings.Repeat(`{`+numbered(30, `"%d":0,`)+`"z":0},`, 700) + `0]}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := claims.Parse([]byte(doc))
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; err != nil || used > uint64(40*len(doc)) {
			t.Errorf("%s: %d bytes for %d: %v", name, used, len(doc), err)
		}
	}
}
