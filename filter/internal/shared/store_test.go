package shared_test

import (
	"encoding/hex"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/clock"
	"gatehouse/core/ratelimit"
	"gatehouse/core/ratelimit/ratelimittest"
	"gatehouse/hostsim"
	"gatehouse/hostsim/abi"
	"gatehouse/hostsim/hostsimtest"
)

const (
	vmID    = "probe"
	workers = 4
)

// start runs the probe, and with it the Store, in a VM for each worker.
func start(t *testing.T, data *hostsim.SharedData, fault func(hostsim.HostCall) hostsim.Fault) *hostsim.Host {
	t.Helper()
	h, err := hostsim.New(t.Context(), hostsimtest.Module(t, ".", "./probe"), hostsim.Options{
		Plugins: []hostsim.Plugin{{Name: "probe", VMID: vmID}}, Workers: workers, SharedData: data,
		Faults: hostsim.Faults{HostCall: fault},
	})
	require.NoError(t, err)
	t.Cleanup(h.Close)
	return h
}

// remote is the Store in one worker's VM.
type remote struct {
	host   *hostsim.Host
	worker int
}

var errProbe = errors.New("the Store failed")

// call has the VM call the Store.
func (r remote) call(headers ...hostsim.Header) (hostsim.Message, error) {
	s := r.host.Stream(r.worker, hostsim.Request{Headers: headers})
	s.RequestHeaders(true)
	answer := s.Downstream()
	switch answer.Status() {
	case "200":
		return answer, nil
	case "500":
		return answer, errProbe
	}
	return answer, errors.New("the probe answers " + answer.Status())
}

// Get implements ratelimit.Store.
func (r remote) Get(key string) ([]byte, ratelimit.Version, error) {
	answer, err := r.call(hostsim.Header{Name: "x-call", Value: "get"},
		hostsim.Header{Name: "x-key", Value: hex.EncodeToString([]byte(key))})
	if err != nil {
		return nil, ratelimit.Absent, err
	}
	version, err := strconv.ParseUint(answer.Headers.Get("x-version"), 10, 64)
	return answer.Body, ratelimit.Version(version), err
}

// CompareAndSet implements ratelimit.Store.
func (r remote) CompareAndSet(key string, value []byte, v ratelimit.Version) (bool, error) {
	answer, err := r.call(hostsim.Header{Name: "x-call", Value: "set"},
		hostsim.Header{Name: "x-key", Value: hex.EncodeToString([]byte(key))},
		hostsim.Header{Name: "x-value", Value: hex.EncodeToString(value)},
		hostsim.Header{Name: "x-version", Value: strconv.FormatUint(uint64(v), 10)})
	if err != nil {
		return false, err
	}
	return strconv.ParseBool(answer.Headers.Get("x-swapped"))
}

func TestStoreConforms(t *testing.T) {
	ratelimittest.TestStore(t, func(t *testing.T) func() ratelimit.Store {
		h := start(t, nil, nil)
		var next atomic.Int64
		return func() ratelimit.Store {
			return remote{h, int(next.Add(1)-1) % workers}
		}
	})
}

// TestStoreCountsUnderInjectedConflicts has somebody else write between every other read and the
// write that rests on it.
func TestStoreCountsUnderInjectedConflicts(t *testing.T) {
	const each = 100
	data := hostsim.NewSharedData()
	add := func(by byte) { // unconditionally, as another plugin's writes are
		value, _, _ := data.Get(vmID, "n")
		n := by
		if len(value) == 1 {
			n += value[0]
		}
		assert.Equal(t, abi.OK, data.Set(vmID, "n", []byte{n}, 0))
	}
	var mu sync.Mutex
	calls, injected, mismatches := 0, 0, 0
	h := start(t, data, func(c hostsim.HostCall) (f hostsim.Fault) {
		if c.Name != "proxy_set_shared_data" {
			return f
		}
		mu.Lock()
		defer mu.Unlock()
		if calls++; calls%2 == 0 && injected < each {
			injected++
			add(1)
		}
		return f
	})
	s := remote{h, 0}
	for range each {
		for {
			value, v, err := s.Get("n")
			require.NoError(t, err)
			n := byte(1)
			if v != ratelimit.Absent {
				n += value[0]
			}
			swapped, err := s.CompareAndSet("n", []byte{n}, v)
			require.NoError(t, err)
			if swapped {
				break
			}
			mismatches++
		}
	}
	value, _, err := s.Get("n")
	require.NoError(t, err)
	assert.Equal(t, byte(each+injected), value[0], "no increment of anybody's is lost")
	assert.Equal(t, injected, mismatches)
	assert.Greater(t, injected, each/2)
}

// TestCreatorsDontOverwriteEachOther pins down the trap in the host: on an absent key it ignores
// the compare-and-set value.
func TestCreatorsDontOverwriteEachOther(t *testing.T) {
	data := hostsim.NewSharedData()
	other := func() {}
	h := start(t, data, func(c hostsim.HostCall) (f hostsim.Fault) {
		if c.Name == "proxy_set_shared_data" {
			other()
		}
		return f
	})
	s := remote{h, 0}
	_, v, err := s.Get("k")
	require.NoError(t, err)
	require.Equal(t, ratelimit.Absent, v)
	other = func() { data.Set(vmID, "k", []byte("theirs"), 0) }
	swapped, err := s.CompareAndSet("k", []byte("ours"), v)
	require.NoError(t, err)
	assert.False(t, swapped)
	value, _, _ := data.Get(vmID, "k")
	assert.Equal(t, "theirs", string(value))
}

func TestAFailingHostIsAnErrorAndNotAMissingKey(t *testing.T) {
	for _, status := range []abi.Status{abi.InternalFailure, abi.BadArgument, abi.InvalidMemoryAccess} {
		h := start(t, nil, func(c hostsim.HostCall) (f hostsim.Fault) {
			if c.Name == "proxy_get_shared_data" || c.Name == "proxy_set_shared_data" {
				f.Status = status
			}
			return f
		})
		s := remote{h, 0}
		_, v, err := s.Get("k")
		require.ErrorIs(t, err, errProbe, status)
		assert.Equal(t, ratelimit.Absent, v)
		swapped, err := s.CompareAndSet("k", nil, ratelimit.Absent)
		require.ErrorIs(t, err, errProbe, status)
		assert.False(t, swapped)
	}
}

// TestLimitersOnSharedDataAdmitExactlyTheLimit has a limiter on each worker's Store charge one
// caller, all at once, while every third compare-and-set is lost to nobody.
func TestLimitersOnSharedDataAdmitExactlyTheLimit(t *testing.T) {
	const limit, each = 100, 60
	var sets atomic.Int64
	h := start(t, nil, func(c hostsim.HostCall) (f hostsim.Fault) {
		if c.Name == "proxy_set_shared_data" && sets.Add(1)%3 == 0 {
			f.Status = abi.CasMismatch
		}
		return f
	})
	var admitted, refused, contention atomic.Int64
	var group sync.WaitGroup
	for worker := range workers {
		limiter, err := ratelimit.New(remote{h, worker}, "test/", []ratelimit.Rule{{
			Name: "r", Windows: []ratelimit.Window{{Max: limit, Length: 512_000_000_000}}, MaxIdentifiers: 16,
		}})
		require.NoError(t, err)
		group.Go(func() {
			for i := range each {
				var out ratelimit.Result
				limiter.Charge(0, ratelimit.ID{1}, 1, clock.Mono(1e9+i*1e6), &out)
				switch {
				case out.Contention:
					contention.Add(1)
				case out.Admitted:
					admitted.Add(1)
				default:
					refused.Add(1)
				}
			}
		})
	}
	group.Wait()
	assert.EqualValues(t, limit, admitted.Load())
	assert.EqualValues(t, workers*each-limit, refused.Load()+contention.Load())
}
