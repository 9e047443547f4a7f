package upstreams_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gatehouse/e2e/envoytest"
)

// plainAnswer is what an upstream answers that has no trouble.
const plainAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// rawUpstream is an upstream that answers byte by byte as a test says.
type rawUpstream struct {
	address string

	mu       sync.Mutex
	behave   map[string]func(*exchange) // by the first segment of the path
	requests map[string]int             // by the path with its query
	last     map[string]http.Header     // of the last request, by the same

	begun moments // when the head of an answer has reached the client, by the path
}

// exchange is a request whose head has come.
type exchange struct {
	net.Conn
	upstream *rawUpstream
	reader   *bufio.Reader
	request  *http.Request
	kept     bool // the connection is good for another request
}

// write sends text as it is.
func (e *exchange) write(text string) { _, _ = io.WriteString(e, text) }

// reset ends the connection by a TCP reset.
func (e *exchange) reset() { _ = e.Conn.(*net.TCPConn).SetLinger(0) }

// begun waits until the client has the head of the answer.
func (e *exchange) begun() {
	select {
	case <-e.upstream.begun.of(e.request.URL.Path):
	case <-time.After(envoytest.Patience):
	}
}

// gone waits until Envoy closes the connection.
func (e *exchange) gone() { _, _ = io.Copy(io.Discard, e.reader) }

// startUpstream starts an upstream that answers 200 until it is told otherwise.
func startUpstream(t *testing.T) *rawUpstream {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	u := &rawUpstream{address: listener.Addr().String(), behave: map[string]func(*exchange){}, requests: map[string]int{}, last: map[string]http.Header{}}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go u.serve(conn)
		}
	}()
	return u
}

// on sets what the upstream does with requests below /NAME/.
func (u *rawUpstream) on(name string, behave func(*exchange)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.behave[name] = behave
}

// count returns how many requests came for a path.
func (u *rawUpstream) count(path string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.requests[path]
}

// header returns the headers of the last request for a path.
func (u *rawUpstream) header(path string) http.Header {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.last[path]
}

func (u *rawUpstream) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(2 * envoytest.Patience))
	reader := bufio.NewReader(conn)
	for {
		request, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		segment, _, _ := strings.Cut(strings.TrimPrefix(request.URL.Path, "/"), "/")
		u.mu.Lock()
		u.requests[request.RequestURI]++
		u.last[request.RequestURI] = request.Header
		behave := u.behave[segment]
		u.mu.Unlock()
		if behave != nil {
			e := &exchange{Conn: conn, upstream: u, reader: reader, request: request}
			if behave(e); !e.kept {
				return
			}
			continue
		}
		_, _ = io.Copy(io.Discard, request.Body)
		_, _ = io.WriteString(conn, plainAnswer)
	}
}
