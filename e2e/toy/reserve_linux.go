package toy

import (
	"net"
	"os"
	"strconv"
	"syscall"
)

// reserve takes an address, "host:port", without listening there, and returns it with the port filled in. Who connects to it is
// refused, unless somebody listens there; and the system, when it is to choose a port, gives this one to nobody. Closing the file
// ends that, and so does dropping it.
//
// Linux lets a second socket be bound to the same port and listen, if both have SO_REUSEADDR, as package net's have, and no other
// listens there (socket(7)). An address other than an IPv4 one is not reserved; the file is nil then.
func reserve(address string) (*os.File, string, error) {
	wanted, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, "", err
	}
	ip := wanted.IP.To4()
	if ip == nil {
		return nil, address, nil
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, "", os.NewSyscallError("socket", err)
	}
	file := os.NewFile(uintptr(fd), "reserved "+address)
	port, err := bind(fd, &syscall.SockaddrInet4{Port: wanted.Port, Addr: [4]byte(ip)})
	if err != nil {
		_ = file.Close()
		return nil, "", &net.OpError{Op: "listen", Net: "tcp", Addr: wanted, Err: err}
	}
	return file, net.JoinHostPort(ip.String(), strconv.Itoa(port)), nil
}

// bind returns the port.
func bind(fd int, address *syscall.SockaddrInet4) (int, error) {
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return 0, os.NewSyscallError("setsockopt", err)
	}
	if err := syscall.Bind(fd, address); err != nil {
		return 0, os.NewSyscallError("bind", err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, os.NewSyscallError("getsockname", err)
	}
	return bound.(*syscall.SockaddrInet4).Port, nil
}
