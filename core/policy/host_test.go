package policy_test

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gatehouse/core/policy"
)

func mustHost(t require.TestingT, s string) policy.HostPattern {
	h, err := policy.ParseHost(s)
	require.NoError(t, err, s)
	return h
}

func TestNormalizeHostReturnsTheCanonicalForm(t *testing.T) {
	for authority, want := range map[string]string{
		"example.com":                   "example.com",
		"Example.COM":                   "example.com",
		"example.com:8443":              "example.com",
		"example.com:0":                 "example.com",
		"example.com:00080":             "example.com",
		"example.com:65535":             "example.com",
		"example.com.":                  "example.com",
		"EXAMPLE.com.:443":              "example.com",
		"my_svc.my-ns":                  "my_svc.my-ns",
		"localhost":                     "localhost",
		"192.0.2.7:80":                  "192.0.2.7",
		"192.0.2.7.":                    "192.0.2.7",
		"1password.com":                 "1password.com",
		"orders.123":                    "orders.123",
		"0xcafe.example":                "0xcafe.example",
		"[::1]":                         "[::1]",
		"[0:0:0:0:0:0:0:1]:80":          "[::1]",
		"[2001:DB8::1]:8443":            "[2001:db8::1]",
		"[2001:db8:0:0:1:0:0:1]":        "[2001:db8::1:0:0:1]",
		"[::ffff:c000:0207]":            "[::ffff:192.0.2.7]",
		strings.Repeat("a", 63) + ".b":  strings.Repeat("a", 63) + ".b",
		strings.Repeat("a.", 126) + "b": strings.Repeat("a.", 126) + "b",
	} {
		host, safe := policy.NormalizeHost(authority)
		assert.True(t, safe, "%q", authority)
		assert.Equal(t, want, host, "%q", authority)
	}
	for _, authority := range []string{"orders.example.com.:8443", "[2001:db8::1]:8443", "192.0.2.7"} {
		assert.Zero(t, testing.AllocsPerRun(100, func() { policy.NormalizeHost(authority) }), authority)
	}
}

// unsafeHosts are authorities in which two servers can read two hosts.
var unsafeHosts = map[string][]string{
	"no host":         {"", ":80", ".", "..", "[]", "[]:80"},
	"bad port":        {"a.example:", "a.example:80a", "a.example:-1", "a.example:+80", "a.example:65536", "a.example:123456", "a.example:8 0", "[::1]:", "[::1]:x"},
	"several ports":   {"a.example:80:80", "[::1]:80:80"},
	"several hosts":   {"a.example,b.example", "a.example, b.example", "a.example b.example", "a.example;b.example"},
	"user part":       {"user@a.example", "user:pw@a.example", "a.example@b.example", "@a.example"},
	"escapes":         {"a%2eexample", "a.example%00", "%61.example", "[::1%25eth0]"},
	"zone":            {"[fe80::1%eth0]"},
	"empty label":     {"a.example..", ".a.example", "a..example", "a.example..:80"},
	"path and more":   {"a.example/x", "a.example?x", "a.example#x", `a.example\x`, "http://a.example"},
	"foreign bytes":   {"ä.example", "a.example\x00", "a.example\t", " a.example", "a\u3002example", "a.example\x7f", "\xff.example"},
	"IPv6 form":       {"::1", "2001:db8::1", "[::1", "::1]", "[::1]x", "[::1]x:80", "[::1].", "[1]", "[g::1]", "[::1]]", "[[::1]]", "[v1.a]", "[1.2.3.4]"},
	"IPv4 as numbers": {"127.1", "2130706433", "0x7f000001", "0x7f.1", "0X7F.0.0.1", "0177.0.0.1", "127.0.0.01", "1.2.3.4.5", "256.1.1.1", "1.2.3", "0x"},
	"too long":        {strings.Repeat("a", 64), strings.Repeat("a.", 126) + "ab"},
}

func TestNormalizeHostRefusesWhatAServerCouldReadDifferently(t *testing.T) {
	for name, authorities := range unsafeHosts {
		t.Run(name, func(t *testing.T) {
			for _, authority := range authorities {
				host, safe := policy.NormalizeHost(authority)
				assert.False(t, safe, "%q", authority)
				assert.Empty(t, host, "%q", authority)
			}
		})
	}
}

var (
	hostName   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*$`)
	allNumbers = regexp.MustCompile(`^([0-9]+|0[xX][0-9A-Fa-f]*)(\.([0-9]+|0[xX][0-9A-Fa-f]*))*$`)
	withPort   = regexp.MustCompile(`^(.*):([0-9]{1,5})$`)
)

// hostOracle reads an authority with regular expressions and net/netip.
func hostOracle(authority string) (host string, safe bool) {
	host = authority
	if m := withPort.FindStringSubmatch(authority); m != nil {
		if port, _ := strconv.Atoi(m[2]); port > 65535 {
			return "", false
		}
		host = m[1]
	}
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		addr, err := netip.ParseAddr(host[1 : len(host)-1])
		if err != nil || addr.Zone() != "" || addr.Is4() {
			return "", false
		}
		return "[" + addr.String() + "]", true
	}
	host = strings.TrimSuffix(host, ".")
	if !hostName.MatchString(host) || len(host) > 253 {
		return "", false
	}
	if addr, err := netip.ParseAddr(host); allNumbers.MatchString(host) && (err != nil || !addr.Is4()) {
		return "", false
	}
	return strings.ToLower(host), true
}

// authorities draws authorities in which everything that matters is frequent.
func authorities() *rapid.Generator[string] {
	piece := rapid.OneOf(
		rapid.SampledFrom([]string{".", ".", "a", "B", "example", "-", "_", ":", ":80", ":65535", ":65536", ":00080", "[", "]", "::", "1", "0x7f",
			"0177", "255", "256", "127.0.0.1", "[::1]", "[2001:DB8::0:1]", "[::ffff:1.2.3.4]", "%", "%25", "@", ",", " ", "\x00", "é", "*"}),
		rapid.StringN(0, 2, 2),
	)
	return rapid.Map(rapid.SliceOfN(piece, 0, 6), func(pieces []string) string { return strings.Join(pieces, "") })
}

func TestNormalizeHostAgreesWithAnIndependentReading(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { requireHost(t, authorities().Draw(t, "authority")) })
}

func requireHost(t require.TestingT, authority string) {
	want, wantSafe := hostOracle(authority)
	host, safe := policy.NormalizeHost(authority)
	require.Equal(t, wantSafe, safe, "%q", authority)
	require.Equal(t, want, host, "%q", authority)
	if safe {
		again, stillSafe := policy.NormalizeHost(host)
		require.True(t, stillSafe)
		require.Equal(t, host, again, "normalizing twice changes nothing")
	}
}

func FuzzNormalizeHost(f *testing.F) {
	for _, list := range unsafeHosts {
		for _, authority := range list {
			f.Add(authority)
		}
	}
	f.Add("a.example:80")
	f.Add("[::1]:80")
	f.Fuzz(func(t *testing.T, authority string) { requireHost(t, authority) })
}

func TestHostPatternsMatchLikeEnvoysDomains(t *testing.T) {
	for pattern, hosts := range map[string]struct{ yes, no []string }{
		"example.com": {
			[]string{"example.com", "EXAMPLE.com:80", "example.com."},
			[]string{"a.example.com", "example.org"},
		},
		"Example.com":     {[]string{"example.com"}, nil},
		"*.example.com":   {[]string{"a.example.com", "a.b.Example.com:1"}, []string{"example.com", "aexample.com", "a.example.com.evil"}},
		"192.0.2.7":       {[]string{"192.0.2.7:80"}, []string{"192.0.2.70"}},
		"[::1]":           {[]string{"[::1]:80", "[0::1]"}, []string{"[::2]"}},
		"[2001:DB8:0::1]": {[]string{"[2001:db8::1]"}, nil},
		"my_svc.ns":       {[]string{"my_svc.ns"}, nil},
		"localhost":       {[]string{"localhost:10000"}, nil},
	} {
		t.Run(pattern, func(t *testing.T) {
			h := mustHost(t, pattern)
			for _, authority := range hosts.yes {
				host, safe := policy.NormalizeHost(authority)
				require.True(t, safe)
				assert.True(t, h.Match(host), "should match %q", authority)
			}
			for _, authority := range hosts.no {
				host, safe := policy.NormalizeHost(authority)
				require.True(t, safe)
				assert.False(t, h.Match(host), "should not match %q", authority)
			}
		})
	}
	assert.False(t, policy.HostPattern{}.Match(""), "the zero pattern matches nothing")
}

func TestParseHostSaysInOneLineWhatIsAllowed(t *testing.T) {
	for host, want := range map[string]string{
		"example.com:443":                "without port",
		"example.com.":                   "without port",
		"*.example.com.":                 "without port",
		"[::1]:80":                       "without port",
		"":                               "want a host name",
		"*":                              "want a host name",
		"*.":                             "want a host name",
		"*example.com":                   "want a host name",
		"a.*.com":                        "want a host name",
		"*.*.com":                        "want a host name",
		"*.[::1]":                        "want a host name",
		"*.192.0.2.7":                    "want a host name",
		"a..b":                           "want a host name",
		".a":                             "want a host name",
		"exämple.com":                    "want a host name",
		"a/b":                            "want a host name",
		"user@a":                         "want a host name",
		"127.1":                          "want a host name",
		"::1":                            "want a host name",
		"[::1":                           "want a host name",
		"[1]":                            "want a host name",
		"[fe80::1%25eth0]":               "want a host name",
		strings.Repeat("a", 64):          "want a host name",
		strings.Repeat("a.", 126) + "ab": "want a host name",
	} {
		t.Run(host, func(t *testing.T) {
			h, err := policy.ParseHost(host)
			require.Error(t, err)
			assert.Contains(t, err.Error(), want)
			assert.Equal(t, policy.HostPattern{}, h)
		})
	}
}

func FuzzParseHost(f *testing.F) {
	for _, seed := range []string{"example.com", "*.example.com", "[::1]", "[0::1]", "A.B", "a:1", "a.", "*"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := policy.ParseHost(s)
		if err != nil {
			require.Equal(t, policy.HostPattern{}, h)
			return
		}
		again, err := policy.ParseHost(h.String())
		require.NoError(t, err)
		require.Equal(t, h, again)

		// The pattern matches every spelling of its host.
		name, wild := strings.CutPrefix(s, "*.")
		if wild {
			host, _ := policy.NormalizeHost(name)
			require.False(t, h.Match(host))
			name = "a.b." + name
			if len(name) > policy.MaxHostBytes {
				return
			}
		}
		for _, authority := range []string{name, strings.ToUpper(name), name + ":8443"} {
			host, safe := policy.NormalizeHost(authority)
			require.True(t, safe, "%q", authority)
			require.True(t, h.Match(host), "%q", authority)
		}
	})
}
