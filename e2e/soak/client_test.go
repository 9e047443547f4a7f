package soak_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// client has one connection at a time, from an address of its own. Over HTTP/1.1 it sends no
// request twice: net/http's client would, where a connection ends under a request.
type client struct {
	gate, source string
	conn         net.Conn
	in           *bufio.Reader
	http2        *http.Transport // nil for HTTP/1.1
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

func (c *client) do(method, target string, header []string, body string, leaves int, delay time.Duration) (a answer) {
	a.sent = time.Now()
	var err error
	if c.http2 != nil {
		err = c.stream(&a, method, target, header, body, leaves, delay)
	} else {
		err = c.exchange(&a, method, head(method, target, header), body, leaves, delay)
	}
	if err != nil {
		c.close()
	}
	a.done = time.Now()
	return a
}

// errLeft is the client's own end of an exchange.
var errLeft = errors.New("the client leaves")

// exchange is one of HTTP/1.1.
func (c *client) exchange(a *answer, method, head, body string, leaves int, delay time.Duration) error {
	if c.conn == nil {
		conn, err := c.dialer().Dial("tcp", c.gate)
		if err != nil {
			return err
		}
		c.conn, c.in = conn, bufio.NewReader(conn)
	}
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	text := head + "\r\n" + body
	if leaves == leavesWithinHeaders {
		text = head[:len(head)/2]
	}
	if _, err := io.WriteString(c.conn, text); err != nil {
		return err
	}
	switch leaves {
	case leavesAtOnce, leavesWithinHeaders:
		return errLeft
	case leavesLater:
		if err := c.conn.SetDeadline(time.Now().Add(delay)); err != nil {
			return err
		}
	}
	response, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		return err
	}
	err = a.take(response)
	if response.Close {
		err = errLeft
	}
	return err
}

// stream is one of HTTP/2. A client that leaves resets the stream only.
func (c *client) stream(a *answer, method, target string, header []string, body string, leaves int, delay time.Duration) error {
	patience := patience
	switch leaves {
	case leavesAtOnce, leavesWithinHeaders:
		patience = time.Millisecond
	case leavesLater:
		patience = delay
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+c.gate, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.URL.Opaque, request.Host = target, "api.example"
	for i := 0; i < len(header); i += 2 {
		request.Header.Add(header[i], header[i+1])
	}
	if response, err := c.http2.RoundTrip(request); err == nil {
		_ = a.take(response)
	}
	return nil // whatever came of it: the connection is the transport's
}

// overHTTP2 gives a client HTTP/2 without TLS. Its transport sends a request anew only if the gate
// has said that it didn't look at it (RFC 9113, section 8.7).
func (c *client) overHTTP2() {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	c.http2 = &http.Transport{Protocols: protocols, DialContext: c.dialer().DialContext, DisableCompression: true}
}

func (c *client) dialer() *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(c.source)}, Timeout: patience}
}

// take reads a response.
func (a *answer) take(response *http.Response) error {
	content, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	a.status, a.header = response.StatusCode, response.Header
	a.spoofed = strings.Contains(string(content), spoofed)
	return err
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// end closes what the client has open.
func (c *client) end() {
	c.close()
	if c.http2 != nil {
		c.http2.CloseIdleConnections()
	}
}

// head is a request's lines without the empty one at the end. header holds names and values in
// turn.
func head(method, target string, header []string) string {
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
