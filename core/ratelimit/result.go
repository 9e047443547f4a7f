package ratelimit

// WindowState is what a window has left for one caller.
type WindowState struct {
	Limit     uint64 // the window's Max
	Remaining uint64 // cost that would still be admitted
	Reset     int64  // nanoseconds until the oldest charge stops to count; 0 if none counts
}

// Result is the outcome of one Charge or Peek. Its zero value admits nothing.
type Result struct {
	// Admitted says that the cost fits every window; Charge has then recorded it.
	Admitted bool

	// Contention says that the shared state could not be read or written: every one of Tries compare-and-sets was lost,
	// or the store failed. Nothing is recorded and Admitted is false; whether the request passes is the caller's choice.
	Contention bool

	// Evicted counts callers whose live charges were dropped for want of room (or because what was stored made no
	// sense), the caller's own included if it could not be kept.
	Evicted int

	// Retry is, for a refusal, how many nanoseconds from now every refusing window fits this cost, if nothing else is
	// admitted meanwhile: the same charge made then is admitted. For a cost above a window's Max, which never fits, it is the
	// window's Length. 0 unless refused.
	Retry int64

	// Windows holds the first N windows of the rule, in its order, as they are after the decision.
	Windows [MaxWindows]WindowState
	N       int

	kept  bool   // the charge is stored and Withdraw can take it back
	at    int64  // the moment it is stored under
	birth uint32 // the incarnation of the caller's entry
}
