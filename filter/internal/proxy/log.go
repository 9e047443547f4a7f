package proxy

// Log writes a line about the filter itself to the proxy's log. If that fails there is nowhere left
// to say so.
func Log(p Proxy, level Level, line string) { _ = p.Log(level, []byte("gatehouse: "+line)) }

// Survive recovers from a panic of the function that defers it, and logs it.
func Survive(p Proxy, where string) {
	if r := recover(); r != nil {
		LogPanic(p, where, r)
	}
}

// LogPanic logs what was recovered, and where.
func LogPanic(p Proxy, where string, recovered any) {
	Log(p, Error, "panic in "+where+": "+panicText(recovered))
}

// panicText says what a recovered panic was about. A runtime error's text is the runtime's own and
// holds no caller's data beyond an index; other values aren't printed.
func panicText(r any) string {
	if err, ok := r.(interface {
		error
		RuntimeError()
	}); ok {
		return err.Error()
	}
	return "not a runtime error"
}
