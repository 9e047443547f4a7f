package toy

import (
	"net"
	"net/netip"
	"os"
	"syscall"
)

// reservePort returns a free port of 127.0.0.1, and a socket that keeps it. The socket doesn't
// listen: a connection is refused until somebody listens at the port. As long as it is open the
// kernel chooses the port for nobody else; but who asks for it by number, and sets SO_REUSEADDR as
// net.Listen does, gets it.
func reservePort() (address string, socket *os.File, err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", nil, os.NewSyscallError("socket", err)
	}
	socket = os.NewFile(uintptr(fd), "reserved port")
	if err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: netip.MustParseAddr("127.0.0.1").As4()})
	}
	var bound syscall.Sockaddr
	if err == nil {
		bound, err = syscall.Getsockname(fd)
	}
	if err != nil {
		_ = socket.Close()
		return "", nil, os.NewSyscallError("bind", err)
	}
	port := bound.(*syscall.SockaddrInet4).Port //nolint:forcetypeassert // as it was bound
	return (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}).String(), socket, nil
}
