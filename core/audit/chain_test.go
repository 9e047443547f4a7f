package audit_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gatehouse/core/audit"
)

var chainKey = []byte("0123456789abcdef0123456789abcdef")

func TestAChainedLineIsTheEventAndItsChain(t *testing.T) {
	chain := audit.NewChain("2026-03", chainKey, "00000000000000ab")
	_, ok := chain.Head()
	assert.False(t, ok, "a stream without lines has no head")
	prev := make([]byte, 32)
	for seq := range 3 {
		e := full()
		e.Status += seq
		plain := string(e.AppendJSON(nil, 0))
		line := string(chain.Append(e.AppendJSON(nil, 0)))
		signed := strings.TrimSuffix(plain, "}") + ","
		mac := sum(prev, signed)
		assert.Equal(t, fmt.Sprintf(`%s"chain":{"key_id":"2026-03","stream":"00000000000000ab","seq":%d,"prev":"%x","mac":"%x"}}`,
			signed, seq, prev, mac), line)
		head, ok := chain.Head()
		require.True(t, ok)
		assert.Equal(t, audit.Head{KeyID: "2026-03", Stream: "00000000000000ab", Seq: uint64(seq), MAC: [32]byte(mac)}, head)
		assert.Equal(t, fmt.Sprintf(`{"key_id":"2026-03","stream":"00000000000000ab","seq":%d,"mac":"%x"}`, seq, mac), string(head.AppendJSON(nil)))
		prev = mac
	}
}

// sum is the mac by the definition, with a new HMAC.
func sum(prev []byte, signed string) []byte {
	h := hmac.New(sha256.New, chainKey)
	h.Write(prev)
	h.Write([]byte(signed))
	return h.Sum(nil)
}

func TestAChainedLineIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		chain := audit.NewChain("k.1", chainKey, "s-1")
		prev := [32]byte{}
		for seq := range rapid.IntRange(1, 5).Draw(t, "lines") {
			e := audit.Event{UserID: rapid.String().Draw(t, "user"), Path: rapid.SampledFrom([]string{"", "/a", `,"chain":{"key_id":"x"}}`}).Draw(t, "path")}
			e.Meta.Extra = []audit.Field{{Name: "chain", JSON: []byte(`{"key_id":"x","stream":"y","seq":0}`)}}
			line := chain.Append(e.AppendJSON(nil, 0))
			require.True(t, json.Valid(line))
			link, signed, err := audit.ParseLink(line)
			require.NoError(t, err)
			assert.Equal(t, "k.1 s-1", string(link.KeyID)+" "+string(link.Stream))
			assert.Equal(t, uint64(seq), link.Seq)
			assert.Equal(t, prev, link.Prev)
			assert.Equal(t, sum(prev[:], string(signed)), link.MAC[:])
			assert.Equal(t, link.MAC[:], audit.NewMAC(chainKey).Sum(link.Prev[:], signed))
			prev = link.MAC
		}
	})
}

func TestALinkHasOneSpelling(t *testing.T) {
	e := full()
	good := string(audit.NewChain("k", chainKey, "s").Append(e.AppendJSON(nil, 0)))
	_, _, err := audit.ParseLink([]byte(good))
	require.NoError(t, err)
	mac := good[strings.Index(good, `"mac":"`)+7 : len(good)-3]
	for name, line := range map[string]string{
		"a space":              strings.Replace(good, `"seq":0`, `"seq": 0`, 1),
		"a leading zero":       strings.Replace(good, `"seq":0`, `"seq":00`, 1),
		"a sign":               strings.Replace(good, `"seq":0`, `"seq":+0`, 1),
		"a fraction":           strings.Replace(good, `"seq":0`, `"seq":0.0`, 1),
		"no number":            strings.Replace(good, `"seq":0`, `"seq":`, 1),
		"too large a number":   strings.Replace(good, `"seq":0`, `"seq":18446744073709551616`, 1),
		"upper case":           strings.Replace(good, mac, strings.ToUpper(mac), 1),
		"a short mac":          strings.Replace(good, mac, mac[2:], 1),
		"no hexadecimal digit": strings.Replace(good, mac, "g"+mac[1:], 1),
		"an escape":            strings.Replace(good, `"stream":"s"`, `"stream":"\u0073"`, 1),
		"no stream":            strings.Replace(good, `"stream":"s"`, `"stream":""`, 1),
		"another order":        strings.Replace(good, `"key_id":"k","stream":"s"`, `"key_id":"k","seq":0,"stream":"s"`, 1),
		"text behind":          good + " ",
		"cut off":              good[:len(good)-1],
	} {
		t.Run(name, func(t *testing.T) {
			require.NotEqual(t, good, line)
			_, _, err := audit.ParseLink([]byte(line))
			assert.Equal(t, audit.ErrBadLink, err)
		})
	}
	_, _, err = audit.ParseLink(e.AppendJSON(nil, 0))
	assert.Equal(t, audit.ErrNotChained, err)
}

func TestChainingALineAllocatesNothing(t *testing.T) {
	e := full()
	e.Meta.Extra = nil
	chain := audit.NewChain("2026-03", chainKey, "00000000000000ab")
	dst := make([]byte, 0, 4096)
	assert.Zero(t, testing.AllocsPerRun(100, func() { dst = chain.Append(e.AppendJSON(dst[:0], 1024)) }))
}

func BenchmarkChain(b *testing.B) {
	e := full()
	e.Meta.Extra = nil
	plain := e.AppendJSON(make([]byte, 0, 4096), 1024)
	chain := audit.NewChain("2026-03", chainKey, "00000000000000ab")
	b.ReportAllocs()
	b.SetBytes(int64(len(plain)))
	for b.Loop() {
		plain[len(plain)-1] = '}'
		_ = chain.Append(plain)
	}
}

func TestKeysAreBase64(t *testing.T) {
	raw := bytes.Repeat([]byte{0xfb, 0xff}, 16)
	std := base64.StdEncoding.EncodeToString(raw)
	for name, text := range map[string]string{
		"padded": std, "without padding": strings.TrimRight(std, "="), "as a file has it": std + "\r\n", "indented": "  " + std,
	} {
		t.Run(name, func(t *testing.T) {
			key, err := audit.ParseKey(text)
			require.NoError(t, err)
			assert.Equal(t, raw, key)
		})
	}
	for name, c := range map[string]struct{ text, want string }{
		"empty":            {"", "0 bytes"},
		"too short":        {base64.StdEncoding.EncodeToString(raw[:31]), "31 bytes"},
		"too long":         {base64.StdEncoding.EncodeToString(make([]byte, 1025)), "1025 bytes"},
		"base64url":        {base64.URLEncoding.EncodeToString(raw), "text of 44 characters that isn't base64"},
		"hexadecimal":      {"x" + hex.EncodeToString(raw), "text of 65 characters that isn't base64"},
		"broken in two":    {std[:20] + "\n" + std[20:], "text of 45 characters that isn't base64"},
		"bits left over":   {strings.Repeat("A", 42) + "B=", "text of 44 characters that isn't base64"},
		"anything, really": {"correct horse battery staple", "text of 28 characters that isn't base64"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := audit.ParseKey(c.text)
			assert.EqualError(t, err, "want base64 of 32..1024 bytes, got "+c.want)
		})
	}
}
