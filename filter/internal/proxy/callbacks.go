package proxy

// Plugin is one plugin instance in one VM. Two instances with the same vm_id live in one VM, so its
// state is its own. Its callbacks, and those of its streams, don't panic.
type Plugin interface {
	// Start takes the plugin configuration; false refuses it, and the proxy keeps what it had.
	Start(config []byte) bool
	// Tick runs at the period that SetTick asked for, on the main thread's VM too.
	Tick()
	// Stop runs when the proxy has no more use for the instance: after an update of its
	// configuration, or at exit. If it returns false, the proxy keeps the instance until
	// Proxy.Stopped is called.
	Stop() (done bool)
	// NewStream makes the context of one HTTP stream.
	NewStream(id uint32) Stream
}

// Stream is one HTTP stream of a Plugin.
type Stream interface {
	// RequestHeaders decides. It returns Pause if it has replied, or if Resume follows.
	RequestHeaders() Action
	// RequestBody sees a part of the body. It comes before the request may go on only if the plugin
	// has allow_on_headers_stop_iteration (Envoy 1.35); to continue would then take the request
	// along.
	RequestBody() Action
	// RequestTrailers sees the request's trailers, if it has any.
	RequestTrailers() Action
	// ResponseHeaders sees the upstream's response headers, or those of a reply. alone is true if
	// neither a body nor trailers follow.
	ResponseHeaders(alone bool) Action
	// ResponseTrailers sees the upstream's trailers, if it has any.
	ResponseTrailers() Action
	// Done runs last, before the access log.
	Done()
}

// Action says what becomes of the part of a stream that a callback was shown. The zero Action holds
// it.
type Action uint8

// The actions.
const (
	Pause Action = iota
	Continue
)
