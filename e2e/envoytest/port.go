package envoytest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// FreePort is a port of 127.0.0.1 for a server that can't say which one it chose, or that isn't
// there all the time. It is none of those that the system chooses for others (32768 and above,
// unless ip_local_port_range says otherwise), and a UDP socket of the same number keeps it from
// other tests until the end of this one.
func FreePort(t *testing.T) int {
	t.Helper()
	const lowest, ports = 20_000, 12_000
	for range 1000 {
		port := lowest + rand.IntN(ports)
		address := fmt.Sprintf("127.0.0.1:%d", port)
		claim, err := net.ListenPacket("udp", address)
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			_ = claim.Close()
			continue
		}
		_ = l.Close()
		t.Cleanup(func() { _ = claim.Close() })
		return port
	}
	require.Fail(t, "no port is free")
	return 0
}
