package hostsim_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/hostsim"
	"gatehouse/hostsim/abi"
)

func TestWhatTheHostKeepsOfAPausedBody(t *testing.T) {
	for _, c := range []struct {
		action   abi.Action
		status   string
		buffered int
	}{
		{abi.ActionPause, "413", 0},
		{abi.ActionPauseWatermark, "", 12},
		{abi.ActionPauseNoBuffer, "", 0},
	} {
		paused := exportedFunc{"proxy_on_request_body", funcType{"iii", "i"}, i32(int(c.action))}
		m, err := hostsim.Compile(t.Context(), misbehaving(paused).wasm(), "")
		require.NoError(t, err)
		h, err := hostsim.New(t.Context(), m, hostsim.Options{Plugins: []hostsim.Plugin{{Name: "pausing"}}, BufferLimit: 10})
		require.NoError(t, err)
		s := h.Stream(0, hostsim.Request{Method: "POST"})
		s.RequestHeaders(false)
		s.RequestBody([]byte("123456"), false)
		s.RequestBody([]byte("789012"), false)
		assert.Equal(t, c.status, s.Downstream().Status(), "action %d", c.action)
		assert.Equal(t, c.buffered, s.State().RequestBuffered, "action %d", c.action)
		h.Close()
		require.NoError(t, m.Close(t.Context()))
	}
}
