package core_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"gatehouse/core"
	"gatehouse/core/audit"
)

// maxField is the test's audit.max_field_bytes.
const maxField = 2048

// hostileTexts are what strangers put into headers and paths.
var hostileTexts = []string{
	"\x00", "\n", "\r\n", "\t", "\x1b[31mred\x1b[0m", "\x7f", "\u0085", "\u2028\u2029", `"`, `\`, `\"`, `\u0022`, `\\`, "</script><script>",
	`","user_id":"root`, `"}}` + "\n" + `{"timestamp":"2026-01-01T00:00:00.000000Z","event_type":"auth_success"}`, "${jndi:ldap://x}", "%0a%0d",
	"\u202e\u200b\ufeff", "\U0001f600\U0010ffff", "\ufffd", "\ufdd0\uffff", "null", "true", "{}", "[]", "0", "é" + "e\u0301", strings.Repeat("a", 5000),
	strings.Repeat("ü", 600), "\xff", "\xc3(", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\xffb", `,"chain":{"key_id":"x","stream":"y","seq":0}`,
}

// hostileEvents are values of x-audit-event.
var hostileEvents = []string{
	`{"event_type":"x","a":"\u0000\u001f\u007f\u0085\u2028","b":"\ud83d\ude00","\u0061b":1}`,
	`{"event_type":"x","n":[1e400,-1e400,9007199254740993,-9007199254740993,0.1,1e-400,-0,123456789012345678901234567890]}`,
	`{"event_type":"x","user_id":"root","timestamp":"1970","event_id":"mine","reason":"none","metadata":{"a":{}},"chain":{"seq":0}}`,
	`{"event_type":"x","deep":[[[[[[[[[[[[[[1]]]]]]]]]]]]]]}`,
	`{"event_type":"x","":"empty","claim:x":1,"header:x":2,"event:x":3}`,
	`{"event_type":"x","long":"` + strings.Repeat("ö", 2000) + `"}`,
	`{"event_type":"x","` + strings.Repeat("n", 64) + `":"\\\"\/\b\f\n\r\t"}`,
}

// readers parse each line of a file strictly and write the object anew, in ASCII.
var readers = map[string][]string{
	"python3": {"-c", `
import json, sys
def pairs(p):
    assert len({k for k, _ in p}) == len(p), "duplicate members"
    return dict(p)
def refuse(s):
    raise ValueError(s)
for line in open(sys.argv[1], "rb"):
    print(json.dumps(json.loads(line.decode("utf-8", "strict"), object_pairs_hook=pairs, parse_constant=refuse)))
`},
	"jq": {"-ac", "."},
}

func TestPythonJqAndGoReadHostileEventsAlike(t *testing.T) {
	g := open(t, `"routes":[{"path":"/**","auth":"none"}],"unsafe_paths":"allow","audit":{"headers":["x-note"],"max_field_bytes":2048}`)
	random := rand.New(rand.NewPCG(1, 1))
	pick := func(from []string) string { return from[random.IntN(len(from))] }
	var file bytes.Buffer
	var want []map[string]any
	for i := range 2000 {
		path, agent, note := "/"+pick(hostileTexts), pick(hostileTexts), pick(hostileTexts)+pick(hostileTexts)
		if i%4 == 0 { // random bytes
			b := make([]byte, random.IntN(40))
			for j := range b {
				b[j] = byte(random.IntN(256))
			}
			agent = string(b)
		}
		r := g.request("GET /", "")
		r.Path = path
		r.Headers = append(r.Headers, core.Header{Name: "user-agent", Value: agent}, core.Header{Name: "x-note", Value: note})
		g.Decide(r, &g.decision)
		g.Finish(&g.decision, core.Outcome{Status: 200, Details: "via_upstream", Custom: []string{pick(hostileEvents)}}, func(line []byte) {
			require.True(t, utf8.Valid(line))
			require.True(t, jsontext.Value(line).IsValid(), "strict JSON, without duplicate members: %q", line)
			require.Equal(t, -1, bytes.IndexFunc(line, func(r rune) bool {
				return r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || unicode.Is(unicode.Bidi_Control, r)
			}))
			file.Write(append(line, '\n'))
			var e map[string]any
			require.NoError(t, json.Unmarshal(line, &e), "%s", line)
			metadata, ok := e["metadata"].(map[string]any)
			require.True(t, ok)
			original(t, audit.WithoutQuery(path), e["path"])
			original(t, agent, e["user_agent"])
			original(t, note, metadata["x-note"])
			want = append(want, e)
		})
	}
	require.Greater(t, len(want), 3000)
	name := filepath.Join(t.TempDir(), "audit.log")
	require.NoError(t, os.WriteFile(name, file.Bytes(), 0o600))
	for tool, args := range readers {
		t.Run(tool, func(t *testing.T) {
			path, err := exec.LookPath(tool)
			if err != nil {
				if os.Getenv("CI") == "true" {
					t.Fatal(tool + " is missing")
				}
				t.Skip(tool + " is missing")
			}
			out, err := exec.Command(path, append(args, name)...).Output()
			require.NoError(t, err)
			lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
			require.Len(t, lines, len(want))
			for i := range lines {
				var got map[string]any
				require.NoError(t, json.Unmarshal([]byte(lines[i]), &got), "line %d", i+1)
				require.Equal(t, want[i], got, "line %d", i+1)
			}
		})
	}
}

// original checks that the original text can be had from what was recorded: all of it, up to the
// limit, with U+FFFD for each byte that isn't text.
func original(t *testing.T, text string, recorded any) {
	t.Helper()
	var want any
	whole := ""
	for _, r := range text {
		if len(whole)+utf8.RuneLen(r) > maxField {
			break
		}
		whole += string(r)
	}
	if text != "" {
		want = whole
	}
	require.Equal(t, want, recorded)
}
