package ipaddr

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// FuzzParse compares with net/netip.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"192.0.2.1", "::", "::1", "1::", "2001:db8::1", "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8",
		"1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "1::1.2.3.4", "64:ff9b::1.2.3.4", "64:ff9b::1", "64:ff9b:1::1.2.3.4",
		"fe80::1%eth0", "%", "::%", "1:", ":1", "1::2::3", "1:::2", "00001::", "1.2.3.4.5", "1..2.3",
		"256.0.0.1", "0.0.0.00", "::1.2.3.4:5", "::1.2.3", "1:2:3:4:5:6:7:8:9", "::1::",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := netip.ParseAddr(s)
		got, four, ok := Parse(s)
		require.Equal(t, err == nil, ok, "%q: %v", s, err)
		if ok {
			nat64 := netip.MustParsePrefix("64:ff9b::/96").Contains(want.WithZone(""))
			require.Equal(t, want.Unmap().Is4() || nat64, four, s)
			require.Equal(t, want.As16(), with4in6(got, four && !nat64), s)
		}
		if got, ok := Parse6(s); ok {
			require.Equal(t, want.String(), string(Append6(nil, got)))
		}
	})
}

func with4in6(a [16]byte, four bool) [16]byte {
	if four {
		a[10], a[11] = 0xff, 0xff
	}
	return a
}

func TestAppend6WritesTheCanonicalForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var addr [16]byte
		for i := range addr {
			addr[i] = rapid.SampledFrom([]byte{0, 0, 0, 1, 0xff}).Draw(t, "byte")
		}
		if rapid.IntRange(0, 3).Draw(t, "mapped") == 0 {
			copy(addr[:], []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff})
		}
		text := string(Append6(nil, addr))
		if want := netip.AddrFrom16(addr).String(); text != want {
			t.Fatalf("want %s, got %s", want, text)
		}
		if again, ok := Parse6(text); !ok || again != addr {
			t.Fatalf("%s reads as %v, %v", text, again, ok)
		}
	})
}
