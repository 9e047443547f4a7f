package soak_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// client is one connection of HTTP/1.1 at a time, from an address of its own. It sends no request
// twice: net/http's would, where a connection ends under a request.
type client struct {
	gate, source string
	conn         net.Conn
	in           *bufio.Reader
}

// What a client does with its request.
const (
	stays = iota
	leavesAtOnce
	leavesLater
	leavesWithinHeaders
)

// answer is what the client saw; status is 0 if it saw none.
type answer struct {
	status     int
	header     http.Header
	spoofed    bool // the upstream was told the identity that the client had made up
	sent, done time.Time
}

// patience bounds each exchange.
const patience = 30 * time.Second

// spoofed is the user whom clients name in a header that is the gate's.
const spoofed = "mallory"

func (c *client) do(method string, head string, body string, leaves int, delay time.Duration) (a answer) {
	a.sent = time.Now()
	defer func() { a.done = time.Now() }()
	if c.conn == nil {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(c.source)}, Timeout: patience}
		conn, err := dialer.Dial("tcp", c.gate)
		if err != nil {
			return a
		}
		c.conn, c.in = conn, bufio.NewReader(conn)
	}
	_ = c.conn.SetDeadline(time.Now().Add(patience))
	text := head + "\r\n" + body
	if leaves == leavesWithinHeaders {
		text = head[:len(head)/2]
	}
	if _, err := io.WriteString(c.conn, text); err != nil || leaves == leavesAtOnce || leaves == leavesWithinHeaders {
		c.close()
		return a
	}
	if leaves == leavesLater {
		_ = c.conn.SetDeadline(time.Now().Add(delay))
	}
	response, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		c.close()
		return a
	}
	content, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil || response.Close {
		c.close()
	}
	a.status, a.header = response.StatusCode, response.Header
	a.spoofed = strings.Contains(string(content), spoofed)
	return a
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// head is a request's lines without the empty one at the end. header holds names and values in turn.
func head(method, target string, header ...string) string {
	var b strings.Builder
	b.WriteString(method + " " + target + " HTTP/1.1\r\nhost: api.example\r\n")
	for i := 0; i < len(header); i += 2 {
		b.WriteString(header[i] + ": " + header[i+1] + "\r\n")
	}
	return b.String()
}

// line is the record of a request and its answer, with tabs between the fields.
func line(id, token int, method, target, flags string, a *answer) []byte {
	out := make([]byte, 0, 160)
	number := func(n int64) { out = append(strconv.AppendInt(out, n, 10), '\t') }
	text := func(s string) { out = append(append(out, s...), '\t') }
	number(int64(id))
	number(int64(token))
	text(method)
	text(target)
	text(flags)
	number(int64(a.status))
	text(a.header.Get("x-gatehouse-event-id"))
	text(a.header.Get("access-control-allow-origin"))
	text(a.header.Get("grpc-status"))
	text(a.header.Get("retry-after"))
	text(a.header.Get("x-audit-event") + map[bool]string{true: spoofed}[a.spoofed])
	number(a.sent.UnixMicro())
	out = strconv.AppendInt(out, a.done.UnixMicro(), 10)
	return append(out, '\n')
}
