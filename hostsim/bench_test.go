package hostsim_test

import (
	"testing"

	"gatehouse/hostsim"
	"gatehouse/hostsim/abi"
)

// BenchmarkRoundTrip is a request through a filter that looks at its path and
// logs below the level: what the host itself costs, mostly.
func BenchmarkRoundTrip(b *testing.B) {
	h, _, _ := probeHost(b, func(o *hostsim.Options) { o.LogLevel = abi.LogCritical })
	req := hostsim.Request{Path: "/plain", NoRecord: true, Headers: []hostsim.Header{{Name: "x-request-id", Value: "1"}}}
	for b.Loop() {
		s := h.Stream(0, req)
		s.RequestHeaders(true)
		s.ResponseHeaders([]hostsim.Header{{Name: ":status", Value: "200"}}, true)
	}
}
