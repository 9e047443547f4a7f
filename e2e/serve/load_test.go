package serve_test

import (
	"bufio"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/rawhttp"
)

// converse sends requests over one keep-alive connection, each as soon as the one before it is
// answered, until next returns nil. next gets the last request's buffer to append to. It writes
// bytes instead of using net/http, whose client costs as much CPU as the proxies that are to be
// measured.
func converse(address string, next func(dst []byte) []byte, answered func(status int)) error {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	in := bufio.NewReader(connection)
	var out []byte
	for {
		if out = next(out[:0]); out == nil {
			return nil
		}
		if _, err := connection.Write(out); err != nil {
			return err
		}
		if err := connection.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		status, err := rawhttp.ReadAnswer(in)
		if err != nil {
			return err
		}
		answered(status)
	}
}

// getRequest is a whole GET request.
func getRequest(path, token string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer " + token + "\r\n\r\n")
}

// upstream answers every request with the same few bytes, at the least cost.
type upstream struct {
	address  string
	requests atomic.Int64
}

func startUpstream(t testing.TB) *upstream {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	u := &upstream{address: listener.Addr().String()}
	var mu sync.Mutex
	var open []net.Conn
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, connection := range open {
			_ = connection.Close()
		}
	})
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, connection)
			mu.Unlock()
			go u.serve(connection)
		}
	}()
	return u
}

func (u *upstream) url() string { return "http://" + u.address }

// serve answers requests without bodies.
func (u *upstream) serve(connection net.Conn) {
	defer func() { _ = connection.Close() }()
	in := bufio.NewReader(connection)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		if len(line) > 2 {
			continue
		}
		u.requests.Add(1)
		if _, err := io.WriteString(connection, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n"); err != nil {
			return
		}
	}
}
