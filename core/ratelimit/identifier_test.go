package ratelimit

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

type element struct {
	Absent                bool
	Kind                  byte
	Name, Provider, Value string
}

func build(elements []element) []byte {
	var b []byte
	for _, e := range elements {
		if e.Absent {
			b = AppendAbsent(b)
		} else {
			b = AppendElement(b, e.Kind, e.Name, e.Provider, e.Value)
		}
	}
	return b
}

func elements() *rapid.Generator[[]element] {
	text := rapid.StringOfN(rapid.SampledFrom([]rune("\x00\x01ab/,")), 0, 3, -1)
	one := rapid.Custom(func(t *rapid.T) element {
		if rapid.Bool().Draw(t, "absent") {
			return element{Absent: true}
		}
		return element{
			Kind:     rapid.ByteRange(1, 3).Draw(t, "kind"),
			Name:     text.Draw(t, "name"),
			Provider: text.Draw(t, "provider"),
			Value:    text.Draw(t, "value"),
		}
	})
	return rapid.SliceOfN(one, 0, 3)
}

func TestDifferentElementsNeverHaveTheSameBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := elements().Draw(t, "a"), elements().Draw(t, "b")
		same := assert.ObjectsAreEqual(a, b) || len(a)+len(b) == 0
		require.Equal(t, same, string(build(a)) == string(build(b)), "%q %q", a, b)
	})
}

func TestElementsThatLookAlikeDiffer(t *testing.T) {
	const user, claim = 1, 2
	seen := make(map[string]int)
	for i, b := range [][]byte{
		AppendAbsent(nil),
		AppendElement(nil, user, "", "", ""),
		AppendElement(nil, user, "", "main", "alice"),
		AppendElement(nil, user, "", "other", "alice"),
		AppendElement(nil, user, "", "", "main/alice"),
		AppendElement(nil, claim, "tenant", "main", "alice"),
		AppendElement(nil, claim, "team", "main", "alice"),
		AppendElement(nil, user, "", "main", "alice\x01"),
		AppendAbsent(AppendElement(nil, user, "", "main", "alice")),
	} {
		earlier, dup := seen[string(b)]
		assert.False(t, dup, "%d has the bytes of %d", i, earlier)
		seen[string(b)] = i
	}
}

func TestIPPrefixGroupsNetworks(t *testing.T) {
	for _, c := range []struct {
		a, b   string
		v4, v6 int
		same   bool
	}{
		{"192.0.2.1", "192.0.2.1", 32, 64, true},
		{"192.0.2.1", "192.0.2.2", 32, 64, false},
		{"192.0.2.1", "192.0.2.200", 24, 64, true},
		{"192.0.2.1", "192.0.3.1", 24, 64, false},
		{"192.0.2.1", "192.0.3.1", 23, 64, true},
		{"10.0.0.1", "192.0.2.1", 0, 64, true},
		{"10.0.0.1", "::1", 0, 0, false},
		{"::ffff:192.0.2.1", "192.0.2.1", 32, 64, true},
		{"::ffff:c000:201", "192.0.2.1", 32, 64, true},
		{"64:ff9b::192.0.2.1", "192.0.2.1", 32, 64, true},
		{"64:ff9b::c000:201", "192.0.2.1", 32, 64, true},
		{"64:ff9b::192.0.2.1", "64:ff9b::192.0.2.2", 32, 64, false},
		{"64:ff9b::192.0.2.1", "64:ff9b::192.0.2.2", 24, 64, true},
		{"64:ff9b:1::192.0.2.1", "192.0.2.1", 32, 64, false},
		{"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", 32, 64, true},
		{"2001:db8::1", "2001:db8:0:1::1", 32, 64, false},
		{"2001:DB8::1", "2001:0db8:0:0:0:0:0:1", 32, 128, true},
		{"2001:db8::1", "2001:db8::2", 32, 128, false},
		{"2001:db8::1", "2001:db8::2", 32, 126, true},
		{"fe80::1%eth0", "fe80::1%eth1", 32, 128, true},
		{"192.0.2.1", "192.0.2.2", 99, 64, false},
		{"192.0.2.1", "10.0.0.1", -1, 64, true},
	} {
		a, ok := AppendIPPrefix(nil, c.a, c.v4, c.v6)
		require.True(t, ok, c.a)
		b, ok := AppendIPPrefix(nil, c.b, c.v4, c.v6)
		require.True(t, ok, c.b)
		assert.Equal(t, c.same, string(a) == string(b), "%+v", c)
	}
}

func TestIPPrefixLeavesItsBufferWhenRefusing(t *testing.T) {
	for _, ip := range []string{"", "1.2.3", "1.2.3.4:80", "[::1]", "01.2.3.4", "1.2.3.256", "::1%", "1.2.3.4%a", ":::", "1::2::3", "12345::"} {
		b, ok := AppendIPPrefix([]byte("before"), ip, 32, 64)
		assert.False(t, ok, ip)
		assert.Equal(t, "before", string(b))
	}
}
