package stream

import "gatehouse/hostsim/abi"

// Logging reports whether the filter's log callback is running.
func (s *Stream) Logging() bool { return s.logging }

// ReadMap returns the map that the filter may read now; nil if there is none.
func (s *Stream) ReadMap(t abi.MapType) *Headers {
	if s.logging {
		switch t {
		case abi.MapRequestHeaders:
			return s.request.headers
		case abi.MapResponseHeaders:
			return s.response.headers
		case abi.MapResponseTrailers:
			return s.response.trailers
		}
		return nil
	}
	return s.visibleMap(t)
}

// WriteMap returns the map that the filter may change now; nil if there is none. Asking for
// trailers with the last piece of a body makes them.
func (s *Stream) WriteMap(t abi.MapType) *Headers {
	switch t {
	case abi.MapRequestTrailers:
		s.request.addTrailers()
	case abi.MapResponseTrailers:
		s.response.addTrailers()
	}
	return s.visibleMap(t)
}

// visibleMap returns the map that a filter may read and change; nil if there is none.
func (s *Stream) visibleMap(t abi.MapType) *Headers {
	switch t {
	case abi.MapRequestHeaders:
		return s.request.visible.headers
	case abi.MapRequestTrailers:
		return s.request.visible.trailers
	case abi.MapResponseHeaders:
		return s.response.visible.headers
	case abi.MapResponseTrailers:
		return s.response.visible.trailers
	}
	return nil
}

// RequestBytes returns the body that the filter may read and change now; nil if there is none.
func (s *Stream) RequestBytes() *[]byte { return s.request.visible.body }

// ResponseBytes is RequestBytes for the response.
func (s *Stream) ResponseBytes() *[]byte { return s.response.visible.body }

// ResumeRequest lets a paused request go on; it must not be called during a callback.
func (s *Stream) ResumeRequest() { s.request.resume() }

// ResumeResponse is ResumeRequest for the response.
func (s *Stream) ResumeResponse() { s.response.resume() }

// HideRequest takes the request's maps and body out of the filter's sight.
func (s *Stream) HideRequest() { s.request.visible = visible{} }
