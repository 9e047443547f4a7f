package toy_test

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// localPortRange is IP_LOCAL_PORT_RANGE of ip(7), Linux 6.3: the ports, lowest and highest, that the system may choose for a socket.
const localPortRange = 51

// whereAllElseIsTaken listens at a port of the system's choice, which has no choice but one.
func whereAllElseIsTaken(t *testing.T, port int) (net.Listener, error) {
	t.Helper()
	var failure error
	config := net.ListenConfig{Control: func(_, _ string, socket syscall.RawConn) error {
		return socket.Control(func(fd uintptr) {
			failure = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, localPortRange, port<<16|port)
		})
	}}
	listener, err := config.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if errors.Is(failure, syscall.ENOPROTOOPT) {
		t.Skip("the kernel is older than 6.3")
	}
	require.NoError(t, failure)
	return listener, err
}

func TestASystemThatChoosesAPortDoesNotChooseAStoppedServers(t *testing.T) {
	var again net.Listener
	for range 10 { // of ten ports, all may be given to some other program only if something else is wrong
		free, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.NoError(t, free.Close())
		if again, err = whereAllElseIsTaken(t, free.Addr().(*net.TCPAddr).Port); err == nil {
			assert.Equal(t, free.Addr(), again.Addr())
			require.NoError(t, again.Close())
			break
		}
	}
	require.NotNil(t, again, "what is merely closed is given away")

	issuer := newIssuer(t, "")
	address, err := net.ResolveTCPAddr("tcp", issuer.Address())
	require.NoError(t, err)
	issuer.Stop()
	_, err = whereAllElseIsTaken(t, address.Port)
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	require.NoError(t, issuer.Restart())
	published(t, issuer)
}
