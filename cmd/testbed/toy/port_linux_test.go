package toy_test

import (
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAPortStaysTheServersOwnWhileItIsDown(t *testing.T) {
	upstream := newUpstream(t)
	upstream.Stop()
	_, err := net.Dial("tcp", upstream.Address())
	require.ErrorIs(t, err, syscall.ECONNREFUSED, "nobody listens")
	// The kernel chooses no port that somebody without SO_REUSEADDR couldn't have.
	stranger := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		controlled := c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 0) })
		if err == nil {
			err = controlled
		}
		return err
	}}
	_, err = stranger.Listen(t.Context(), "tcp", upstream.Address())
	require.ErrorIs(t, err, syscall.EADDRINUSE)

	require.NoError(t, upstream.Restart())
	response, _, err := get(t, upstream.URL()+"/")
	require.NoError(t, err)
	assert.Equal(t, 200, response.StatusCode)
}
