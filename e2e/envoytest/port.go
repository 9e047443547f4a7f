package envoytest

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// FreePort is a port that nothing listened at a moment ago, for servers that can't say which one
// they chose.
func FreePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}
