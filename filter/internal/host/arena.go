//go:build wasip1

package host

import "unsafe"

// arena is the memory in which the proxy leaves what calls return within a stream's callback, if
// the module has been through cmd/postlink: the export that the proxy asks for memory takes it from
// here while there is room, without entering Go. Else it is Go's memory. The mark is how postlink
// finds the variable. Fields are addresses, which the garbage collector need not follow: room is a
// variable of the package.
var arena = struct {
	mark      [16]byte
	next, end uint32
}{mark: [16]byte{'g', 'a', 't', 'e', 'h', 'o', 'u', 's', 'e', ':', ' ', 'a', 'r', 'e', 'n', 'a'}}

var room [32 << 10]byte

// openArena begins a callback of a stream: what calls returned in the one before is overwritten
// from now on. It reports whether this is the outermost callback: in one within another, everything
// stays valid.
func openArena() (outermost bool) {
	if arena.end != 0 {
		return false
	}
	start := uint32(uintptr(unsafe.Pointer(&room)))
	arena.next, arena.end = start, start+uint32(len(room))
	return true
}

// closeArena ends the callback. Calls return Go's memory then.
func closeArena(outermost bool) {
	if outermost {
		arena.end = 0
	}
}
