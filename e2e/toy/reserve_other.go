//go:build !linux

package toy

import "os"

// reserve does nothing: elsewhere no two sockets can have one address. While a server is stopped, its port may be given away.
func reserve(address string) (*os.File, string, error) { return nil, address, nil }
