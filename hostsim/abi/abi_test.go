package abi

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The example map of the specification, {"a": "1", "b": "22"}. Its text writes
// the digits' codes in decimal ('1' is 0x31, not 0x49) and one-byte counts;
// this is the same map with the widths its prose demands.
var specExample = []byte{
	2, 0, 0, 0,
	1, 0, 0, 0, 1, 0, 0, 0,
	1, 0, 0, 0, 2, 0, 0, 0,
	'a', 0, '1', 0, 'b', 0, '2', '2', 0,
}

func TestTheSpecificationsExampleMapIsWrittenAndRead(t *testing.T) {
	pairs := []Pair{{"a", "1"}, {"b", "22"}}
	assert.Equal(t, specExample, AppendPairs(nil, pairs))
	assert.Equal(t, len(specExample), PairsSize(pairs))
	got, ok := ParsePairs(specExample)
	require.True(t, ok)
	assert.Equal(t, pairs, got)
}

func TestEveryMapSurvivesARoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pairs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Pair {
			return Pair{rapid.String().Draw(t, "name"), rapid.String().Draw(t, "value")}
		}), 1, 20).Draw(t, "pairs")
		b := AppendPairs(nil, pairs)
		require.Len(t, b, PairsSize(pairs))
		got, ok := ParsePairs(b)
		require.True(t, ok)
		require.Equal(t, pairs, got)
	})
}

func TestBothFormsOfTheEmptyMapAreRead(t *testing.T) {
	for _, b := range [][]byte{nil, {0}, {0, 0, 0, 0}} {
		got, ok := ParsePairs(b)
		assert.True(t, ok)
		assert.Empty(t, got)
	}
}

func TestMalformedMapsAreRefused(t *testing.T) {
	huge := AppendPairs(nil, []Pair{{"a", string(make([]byte, MaxPairsBytes))}})
	many := AppendPairs(nil, make([]Pair, MaxPairs+1))
	for name, b := range map[string][]byte{
		"a lone non-zero byte":      {1},
		"a count without sizes":     {1, 0, 0, 0},
		"a count that overflows":    {0xff, 0xff, 0xff, 0xff},
		"a size past the end":       {1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0},
		"a name without terminator": {1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 'a', 'b', 0},
		"a missing last terminator": specExample[:len(specExample)-1],
		"bytes after the map":       append(append([]byte{}, specExample...), 0),
		"more bytes than the limit": huge,
		"more pairs than the limit": many,
	} {
		t.Run(name, func(t *testing.T) {
			_, ok := ParsePairs(b)
			assert.False(t, ok)
		})
	}
}

func FuzzParsePairs(f *testing.F) {
	f.Add(specExample)
	f.Add([]byte{0})
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		pairs, ok := ParsePairs(b)
		if !ok || len(pairs) == 0 {
			return
		}
		// A map has one serialised form only: what parses must write back the same.
		require.Equal(t, b, AppendPairs(nil, pairs))
	})
}

func TestPropertyValuesHaveEnvoysForms(t *testing.T) {
	assert.Equal(t, []byte{200, 0, 0, 0, 0, 0, 0, 0}, AppendInt(nil, 200))
	assert.Equal(t, []byte{0, 0, 0, 0, 0, 0, 0xf0, 0x3f}, AppendDouble(nil, 1))
	assert.Equal(t, []byte{1}, AppendBool(nil, true))
	assert.Equal(t, []byte{0}, AppendBool(nil, false))
}

func TestPathsSplitAtZeroBytes(t *testing.T) {
	for path, want := range map[string][]string{
		"":                   nil,
		"a":                  {"a"},
		"a\x00":              {"a"},
		"a\x00b.c/d\x00e":    {"a", "b.c/d", "e"},
		"a\x00\x00b":         {"a", "", "b"},
		"\x00":               {""},
		"source\x00address":  {"source", "address"},
		"wasm\x00x\x00y\x00": {"wasm", "x", "y"},
	} {
		assert.Equal(t, want, SplitPath([]byte(path)), "%q", path)
	}
}

func TestVersionMarkersAreRecognised(t *testing.T) {
	assert.Equal(t, Version021, VersionOf("proxy_abi_version_0_2_1"))
	assert.Equal(t, Version020, VersionOf("proxy_abi_version_0_2_0"))
	assert.Equal(t, Version010, VersionOf("proxy_abi_version_0_1_0"))
	assert.Equal(t, VersionUnknown, VersionOf("proxy_abi_version_0_3_0"))
	assert.Equal(t, "0.2.1", Version021.String())
}
