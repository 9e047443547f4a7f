package ratelimit

// WindowState is what one window leaves to an identifier.
type WindowState struct {
	Limit     uint64 // the window's Max
	Remaining uint64 // cost that would still be admitted
	Reset     int64  // nanoseconds until the oldest charge expires; 0 if no charge counts
}

// Result is the outcome of one Charge or Peek. The zero Result admits nothing.
type Result struct {
	// Admitted is true if the cost fits every window. Charge has then recorded it.
	Admitted bool

	// Contention is true if all Tries compare-and-sets were lost. Nothing is recorded and Admitted
	// is false. The caller of Charge decides whether the request passes.
	Contention bool

	// Failed is true if the store failed. Nothing is recorded and Admitted is false.
	Failed bool

	// Evicted counts entries with charges that still counted and were dropped: for lack of room, or
	// because the stored data was damaged. It includes the charged identifier's own entry if there
	// was no room to record it.
	Evicted int

	// Retry is 0 unless the charge was refused. It is how many nanoseconds from now every refusing
	// window fits this cost, if nothing else is admitted meanwhile: the same charge at that moment
	// is admitted. A cost above a window's Max never fits; its Retry is the window's Length.
	Retry int64

	// Windows holds the first N windows of the rule, in its order, as they are after the decision.
	Windows [MaxWindows]WindowState
	N       int

	recorded   bool   // the charge is stored, and Refund can remove it
	recordedAt int64  // the moment it is stored under
	birth      uint32 // tells this entry from a later one with the same tag
}
