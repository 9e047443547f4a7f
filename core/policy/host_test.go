package policy_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/policy"
)

func mustHost(t require.TestingT, s string) policy.HostPattern {
	h, err := policy.ParseHost(s)
	require.NoError(t, err, s)
	return h
}

func TestNormalizeHostLeavesTheBareName(t *testing.T) {
	for authority, want := range map[string]string{
		"example.com":        "example.com",
		"Example.COM":        "example.com",
		"example.com:8443":   "example.com",
		"example.com.":       "example.com",
		"EXAMPLE.com.:443":   "example.com",
		"example.com:":       "example.com",
		"192.0.2.7:80":       "192.0.2.7",
		"[::1]":              "[::1]",
		"[2001:DB8::1]:8443": "[2001:db8::1]",
		"2001:db8::1":        "2001:db8::1",
		"[::1]x:80":          "[::1]x:80",
		"example.com:80a":    "example.com:80a",
		"example.com..":      "example.com.",
		"a:1:2":              "a:1:2",
		".":                  ".",
		":80":                "",
		"":                   "",
	} {
		assert.Equal(t, want, policy.NormalizeHost(authority), "%q", authority)
	}
	assert.Zero(t, testing.AllocsPerRun(100, func() { policy.NormalizeHost("orders.example.com.:8443") }))
}

func TestHostPatternsMatchAsEnvoysDomains(t *testing.T) {
	for pattern, hosts := range map[string]struct{ yes, no []string }{
		"example.com": {
			[]string{"example.com", "EXAMPLE.com:80", "example.com."},
			[]string{"a.example.com", "example.org", "", "example.com..", "user@example.com"},
		},
		"Example.com":   {[]string{"example.com"}, nil},
		"*.example.com": {[]string{"a.example.com", "a.b.Example.com:1"}, []string{"example.com", ".example.com", "aexample.com", "a.example.com.evil"}},
		"192.0.2.7":     {[]string{"192.0.2.7:80"}, []string{"192.0.2.70"}},
		"[::1]":         {[]string{"[::1]:80"}, []string{"::1", "[0::1]"}},
		"my_svc.ns":     {[]string{"my_svc.ns"}, nil},
		"localhost":     {[]string{"localhost:10000"}, nil},
	} {
		h := mustHost(t, pattern)
		for _, host := range hosts.yes {
			assert.True(t, h.Match(policy.NormalizeHost(host)), "%s should cover %q", pattern, host)
		}
		for _, host := range hosts.no {
			assert.False(t, h.Match(policy.NormalizeHost(host)), "%s should not cover %q", pattern, host)
		}
	}
	assert.False(t, policy.HostPattern{}.Match(""), "the zero pattern covers nothing")
}

func TestParseHostSaysInOneLineWhatItWants(t *testing.T) {
	for host, want := range map[string]string{
		"example.com:443":                "without port",
		"example.com.":                   "without port",
		"[::1]:80":                       "without port",
		"":                               "want a host name",
		"*":                              "want a host name",
		"*.":                             "without port",
		"*example.com":                   "want a host name",
		"a.*.com":                        "want a host name",
		"*.*.com":                        "want a host name",
		"*.[::1]":                        "want a host name",
		"a..b":                           "want a host name",
		".a":                             "want a host name",
		"exämple.com":                    "want a host name",
		"a/b":                            "want a host name",
		"user@a":                         "want a host name",
		"::1":                            "want a host name",
		"[::1":                           "want a host name",
		"[1]":                            "want a host name",
		"[fe80::1%25eth0]":               "want a host name",
		strings.Repeat("a", 64):          "want a host name",
		strings.Repeat("a.", 126) + "ab": "want a host name",
		"[" + strings.Repeat("0000:", 9) + "0000]": "want a host name",
	} {
		h, err := policy.ParseHost(host)
		require.Error(t, err, host)
		assert.Contains(t, err.Error(), want, host)
		assert.Equal(t, policy.HostPattern{}, h)
	}
}

func FuzzParseHost(f *testing.F) {
	for _, seed := range []string{"example.com", "*.example.com", "[::1]", "A.B", "a:1", "a.", "*"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := policy.ParseHost(s)
		if err != nil {
			require.Equal(t, policy.HostPattern{}, h)
			return
		}
		require.Equal(t, strings.ToLower(s), h.String())
		again, err := policy.ParseHost(h.String())
		require.NoError(t, err)
		require.Equal(t, h, again)

		// However a client writes the host, it is covered.
		host, wild := strings.CutPrefix(s, "*.")
		if wild {
			require.False(t, h.Match(policy.NormalizeHost(host)))
			host = "a.b." + host
		}
		for _, spelling := range []string{host, strings.ToUpper(host), host + ":8443"} {
			require.True(t, h.Match(policy.NormalizeHost(spelling)), "%q", spelling)
		}
	})
}
