package envoytest

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Wire is a connection to Envoy on which each byte is the test's own.
type Wire struct {
	*net.TCPConn
	Reader *bufio.Reader
}

// Dial connects to an address. The connection ends with the test, or when it is closed.
func Dial(t *testing.T, address string) *Wire {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, Patience)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(2*Patience)))
	return &Wire{conn.(*net.TCPConn), bufio.NewReader(conn)}
}

// Send writes lines, each with CR LF, and after "" what follows as it is: a head and a body.
func (w *Wire) Send(t *testing.T, head string, body ...string) {
	t.Helper()
	_, err := io.WriteString(w, Head(head)+strings.Join(body, ""))
	require.NoError(t, err)
}

// Head makes the head of a message out of lines.
func Head(lines string) string {
	return strings.ReplaceAll(strings.TrimSpace(lines), "\n", "\r\n") + "\r\n\r\n"
}

// Answer is a response. Err says how it broke off.
type Answer struct {
	*http.Response
	Text string // the body, as far as it came
	Err  error
}

// Receive reads a response to its end. method is the request's. The functions are called when the
// response's head has come.
func (w *Wire) Receive(method string, begun ...func()) Answer {
	response, err := http.ReadResponse(w.Reader, &http.Request{Method: method})
	if err != nil {
		return Answer{Err: err}
	}
	for _, f := range begun {
		f()
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	return Answer{response, string(body), err}
}

// Outcome is the status, and "broken" where the response didn't come to its end; "none" without a
// response.
func (a Answer) Outcome() string {
	switch {
	case a.Response == nil:
		return "none"
	case a.Err != nil:
		return a.Status[:3] + " broken"
	}
	return a.Status[:3]
}

// Leave closes the connection at once, by a TCP reset.
func (w *Wire) Leave() {
	_ = w.SetLinger(0)
	_ = w.Close()
}
