package stream

import "gatehouse/hostsim/abi"

// Filter is a stream's filter.
type Filter interface {
	// Create tells the filter of the stream, once; Created reports whether that has happened.
	Create()
	Created() bool
	// Failed reports that the filter's VM has failed. Nothing more is shown to it.
	Failed() bool
	// Sees reports whether the filter has a callback for that part.
	Sees(p Part) bool
	// Show shows a part of that size to the filter. endStream says that nothing follows it. ok is
	// false if the VM failed. Finish must follow.
	Show(p Part, size int, endStream bool) (action abi.Action, ok bool)
	// Finish does what the filter's host calls put off until the callback has returned.
	Finish()
	// Log, Done and Delete are the last callbacks of a stream.
	Log()
	Done()
	Delete()
}

// Part is a part of a request or response.
type Part int

// The parts, in the order in which they pass.
const (
	RequestHeaders Part = iota
	RequestBody
	RequestTrailers
	ResponseHeaders
	ResponseBody
	ResponseTrailers
)

// Sink receives what passes the filter. It must copy what it keeps of headers and data.
type Sink interface {
	RequestHeaders(h *Headers, endStream bool)
	RequestData(data []byte, endStream bool)
	RequestTrailers(h *Headers)
	ResponseHeaders(h *Headers, endStream bool)
	ResponseData(data []byte, endStream bool)
	ResponseTrailers(h *Headers)
	// Over is called once, when the stream ends. reset says that the response is missing or
	// incomplete.
	Over(reset bool)
}
