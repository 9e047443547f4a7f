package hostsim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"gatehouse/hostsim"
	"gatehouse/hostsim/abi"
)

// failing makes the probe's plugin fail as policy says.
func failing(policy hostsim.FailurePolicy) func(*hostsim.Options) {
	return func(o *hostsim.Options) {
		o.Plugins[0].Failure = policy
		o.Plugins[0].ReloadInterval = 10 * time.Second
		o.Workers = 2
	}
}

func TestAFailedVMAnswers503AndRunsNoMoreCallbacks(t *testing.T) {
	h, _, logs := probeHost(t, failing(hostsim.FailClosed))
	s := visit(h, "/trap")
	assert.Equal(t, "503", s.Downstream().Status())
	assert.Empty(t, s.Downstream().Body)
	assert.Equal(t, "wasm_fail_stream", s.State().Details)
	all := strings.Join(logs.take(), "\n")
	assert.Contains(t, all, "Function: proxy_on_request_headers failed: ")
	assert.NotContains(t, all, "trap log")
	assert.NotContains(t, all, "trap response_headers")
	assert.True(t, h.Failed(0, "probe"))
	assert.Zero(t, h.MemoryBytes(0, "probe"))

	assert.Equal(t, "503", visit(h, "/plain").Downstream().Status())
	assert.Empty(t, logs.take())
	other := h.RoundTrip(1, hostsim.Request{Path: "/plain"}, answer)
	assert.Equal(t, "200", other.Downstream().Status(), "the other worker's VM is its own")
}

func TestAFailedVMThatIsOpenLetsEverythingThrough(t *testing.T) {
	h, _, _ := probeHost(t, failing(hostsim.FailOpen))
	assert.Equal(t, "503", visit(h, "/trap").Downstream().Status(), "but not the request that made it fail")
	s := h.RoundTrip(0, hostsim.Request{Method: "POST", Path: "/reply", Body: []byte("body")}, answer)
	assert.Equal(t, "200", s.Downstream().Status())
	assert.Equal(t, "body", string(s.Upstream().Body))
}

func TestAFailedVMIsReloadedAfterItsBackOff(t *testing.T) {
	h, clock, logs := probeHost(t, failing(hostsim.FailReload))
	assert.Equal(t, "503", visit(h, "/trap").Downstream().Status())
	clock.Advance(10*time.Second - time.Millisecond)
	assert.Equal(t, "503", visit(h, "/plain").Downstream().Status())
	assert.True(t, h.Failed(0, "probe"))
	clock.Advance(5*time.Second + time.Millisecond)
	assert.Equal(t, "200", visit(h, "/plain").Downstream().Status())
	assert.False(t, h.Failed(0, "probe"))
	assert.Len(t, logs.of(0, "configure root"), 1)

	h.Trap(0, "probe")
	assert.Equal(t, "503", visit(h, "/plain").Downstream().Status(), "the back-off runs from the last load")
	clock.Advance(time.Hour)
	h.Trap(0, "probe")
	assert.Equal(t, "200", visit(h, "/plain").Downstream().Status(), "long after a load the next comes at once")
}

func TestAFailedReloadIsTriedAgain(t *testing.T) {
	trap := false
	h, clock, logs := probeHost(t, func(o *hostsim.Options) {
		failing(hostsim.FailReload)(o)
		o.Faults.HostCall = func(c hostsim.HostCall) hostsim.Fault {
			return hostsim.Fault{Trap: trap && c.Name == "proxy_get_property"}
		}
	})
	h.Trap(0, "")
	trap = true
	clock.Advance(time.Minute)
	assert.Equal(t, "503", visit(h, "/plain").Downstream().Status())
	assert.Contains(t, strings.Join(logs.take(), "\n"), "reload failed: proxy_on_configure failed")
	trap = false
	assert.Equal(t, "503", visit(h, "/plain").Downstream().Status())
	clock.Advance(time.Minute)
	assert.Equal(t, "200", visit(h, "/plain").Downstream().Status())
}

func TestAClosedHostReloadsNothing(t *testing.T) {
	h, clock, logs := probeHost(t, failing(hostsim.FailReload))
	h.Close()
	logs.take()
	clock.Advance(time.Hour)
	assert.Equal(t, "503", visit(h, "/plain").Downstream().Status())
	assert.Empty(t, logs.take())
	assert.True(t, h.Failed(0, "probe"))
}

func TestARequestPausedInAVMThatFailsHangs(t *testing.T) {
	h, clock, _ := probeHost(t, failing(hostsim.FailReload))
	paused := h.Stream(0, hostsim.Request{Path: "/tick"})
	paused.RequestHeaders(true)
	visit(h, "/trap")
	clock.Advance(time.Hour)
	visit(h, "/plain")
	assert.True(t, paused.State().RequestPaused)
	assert.False(t, paused.State().Over)
	paused.Reset("downstream_remote_disconnect")
	assert.True(t, paused.State().Over)
}

func TestAVMThatFailsInTheResponseAnswersInItsPlace(t *testing.T) {
	h, _, logs := probeHost(t, failing(hostsim.FailClosed))
	s := h.Stream(0, hostsim.Request{Path: "/plain"})
	s.RequestHeaders(true)
	h.Trap(0, "probe")
	logs.take()
	s.Respond(answer(hostsim.Message{}))
	assert.Equal(t, "503", s.Downstream().Status())
	assert.Empty(t, logs.take())
}

func TestAHostCallCanBeMadeToFail(t *testing.T) {
	conflicts := 2
	h, _, logs := probeHost(t, func(o *hostsim.Options) {
		o.Faults.HostCall = func(c hostsim.HostCall) hostsim.Fault {
			if c.Name == "proxy_set_shared_data" && strings.HasPrefix(c.Subject, "probe-") && conflicts > 0 {
				conflicts--
				return hostsim.Fault{Status: abi.CasMismatch}
			}
			return hostsim.Fault{}
		}
	})
	visit(h, "/shared")
	all := logs.take()
	assert.Contains(t, all, "shared first write with a cas 8")
	assert.Contains(t, all, "shared create again 8")
	assert.Contains(t, all, `shared read "" false 1`)
	assert.Contains(t, all, "shared write with cas 0")
}

func TestAHostCallCanBeMadeATrap(t *testing.T) {
	h, _, logs := probeHost(t, func(o *hostsim.Options) {
		o.Faults.HostCall = func(c hostsim.HostCall) hostsim.Fault {
			return hostsim.Fault{Trap: c.Name == "proxy_define_metric" && c.Subject == "probe_gauge" && c.Worker == 0 && c.Plugin == "probe"}
		}
	})
	assert.Equal(t, "503", visit(h, "/metrics").Downstream().Status())
	assert.Contains(t, strings.Join(logs.take(), "\n"), "injected fault in proxy_define_metric")
}

func TestAForeignFunctionCanBeTakenAwayOrAdded(t *testing.T) {
	h, _, logs := probeHost(t, func(o *hostsim.Options) {
		o.Foreign = map[string]hostsim.ForeignFunction{
			"verify_signature": nil,
			"probe_missing":    func(args []byte) ([]byte, abi.Status) { return nil, abi.Unimplemented },
		}
	})
	visit(h, "/foreign")
	all := logs.take()
	assert.Contains(t, all, "foreign missing 12")
	assert.Contains(t, all, `foreign RS256 "" 1`)
}
