package proxy

import (
	"bytes"
	"net"
	"strconv"
	"strings"
)

// strictListener accepts connections whose HTTP/1 requests must be framed without doubt. net/http
// repairs some requests that servers read in different ways: folded lines (RFC 9112, 5.2),
// Content-Length beside Transfer-Encoding (6.3), and a repeated Content-Length. A handler can't see
// that any more, so the connection looks for it.
type strictListener struct{ net.Listener }

// Accept implements net.Listener.
func (l strictListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &strictConn{Conn: c}, nil
}

// strictConn spoils what it must not let through. It puts a NUL into the line, which no field line
// may have, and net/http answers 400 and closes the connection.
type strictConn struct {
	net.Conn
	scanner scanner
}

// Read implements net.Conn.
func (c *strictConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.scanner.scan(p[:n])
	return n, err
}

// CloseWrite lets net/http close in the two steps that let a client read the last answer.
func (c *strictConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// scanner follows the HTTP/1 requests of a connection. Where net/http refuses a request anyway, it
// looks no further: the connection ends there.
type scanner struct {
	state scanState
	// line is the beginning of the current line, without the line's end. It is long enough for
	// everything that the scanner compares.
	line []byte
	// colon says that the current line has had a colon.
	colon bool
	// skip is how many bytes of a body, or of a chunk and its line's end, are still to come.
	skip uint64
	// length and chunked are how the current request's body is framed. hasLength says that there
	// is a length.
	length             uint64
	hasLength, chunked bool
}

type scanState int

const (
	inRequestLine scanState = iota
	inFields
	inBody
	inChunkSize
	inChunk
	inTrailers
	// offDuty: the connection speaks HTTP/2, or has sent what net/http refuses.
	offDuty
)

// maxKept is how much of a line is kept: a name, its colon, and a number.
const maxKept = 64

// http2Preface is the first line of an HTTP/2 connection (RFC 9113, 3.4).
const http2Preface = "PRI * HTTP/2.0"

// scan reads what has come from the client, and spoils it where it must be refused.
func (s *scanner) scan(b []byte) {
	for len(b) > 0 {
		switch s.state {
		case offDuty:
			return
		case inBody, inChunk:
			n := min(s.skip, uint64(len(b)))
			s.skip -= n
			b = b[n:]
			if s.skip == 0 {
				s.bodyEnds()
			}
		default:
			s.lineByte(b)
			b = b[1:]
		}
	}
}

// bodyEnds goes on after a body, or a chunk.
func (s *scanner) bodyEnds() {
	if s.state == inBody {
		s.startRequest()
		return
	}
	s.startLine(inChunkSize)
}

func (s *scanner) startRequest() {
	s.length, s.hasLength, s.chunked = 0, false, false
	s.startLine(inRequestLine)
}

func (s *scanner) startLine(state scanState) {
	s.state, s.line, s.colon = state, s.line[:0], false
}

// lineByte reads b[0], which is part of a line, and may spoil it.
func (s *scanner) lineByte(b []byte) {
	fields := s.state == inFields || s.state == inTrailers
	switch c := b[0]; {
	case c == '\n':
		s.lineEnds(bytes.TrimSuffix(s.line, []byte("\r")))
		return
	case fields && len(s.line) == 0 && (c == ' ' || c == '\t'): // a folded line
		b[0] = 0
	case fields && c == ':' && !s.colon:
		s.colon = true
		if s.state == inFields && s.framesTwice(string(s.line)) {
			b[0] = 0
		}
	}
	if len(s.line) < maxKept {
		s.line = append(s.line, b[0])
	}
}

// framesTwice reports whether a field of that name frames a body that is framed already. If not, it
// notes that the body is framed now.
func (s *scanner) framesTwice(name string) bool {
	switch strings.ToLower(name) {
	case "content-length":
		if s.hasLength || s.chunked {
			return true
		}
		s.hasLength = true
	case "transfer-encoding":
		if s.hasLength {
			return true
		}
		s.chunked = true // any other coding is refused, and so is a second one
	}
	return false
}

// lineEnds acts on a whole line.
func (s *scanner) lineEnds(line []byte) {
	switch s.state {
	case inRequestLine:
		switch {
		case string(line) == http2Preface:
			s.state = offDuty
		case len(line) == 0: // net/http skips empty lines after the body of a POST
			s.startLine(inRequestLine)
		default:
			s.startLine(inFields)
		}
	case inFields:
		if len(line) > 0 {
			s.fieldEnds(line)
			return
		}
		s.headEnds()
	case inChunkSize:
		s.chunkStarts(line)
	case inTrailers:
		if len(line) > 0 {
			s.startLine(inTrailers)
			return
		}
		s.startRequest()
	}
}

// fieldEnds notes a length.
func (s *scanner) fieldEnds(line []byte) {
	name, value, _ := strings.Cut(string(line), ":")
	s.startLine(inFields)
	if !strings.EqualFold(name, "content-length") {
		return
	}
	length, err := strconv.ParseUint(strings.Trim(value, " \t"), 10, 63)
	if err != nil {
		s.state = offDuty
	}
	s.length = length
}

// headEnds goes on after the empty line at the end of a head.
func (s *scanner) headEnds() {
	switch {
	case s.chunked:
		s.startLine(inChunkSize)
	case s.length > 0:
		s.state, s.skip = inBody, s.length
	default:
		s.startRequest()
	}
}

// chunkStarts goes on after the line with a chunk's size, which may have extensions.
func (s *scanner) chunkStarts(line []byte) {
	digits, _, _ := strings.Cut(string(line), ";")
	size, err := strconv.ParseUint(strings.TrimRight(digits, " \t"), 16, 62)
	switch {
	case err != nil:
		s.state = offDuty
	case size == 0:
		s.startLine(inTrailers)
	default:
		s.state, s.skip = inChunk, size+2 // and the line's end after the chunk
	}
}
