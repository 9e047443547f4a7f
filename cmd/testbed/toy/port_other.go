//go:build !linux

package toy

import "os"

// reservePort leaves the choice to net.Listen: another program may get the port while the server is
// stopped.
func reservePort() (address string, socket *os.File, err error) { return "127.0.0.1:0", nil, nil }
