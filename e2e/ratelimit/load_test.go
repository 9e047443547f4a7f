package ratelimit_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// load sends requests at full speed over keep-alive connections, each as soon as the one before it
// on the connection is answered. It writes bytes instead of using net/http, whose client costs as
// much CPU as the proxy.
type load struct {
	address     string
	connections int

	// request appends a whole request (see get) to dst, or returns nil to end its connection's part
	// of the load. It is called by all connections at once, each with a source of randomness of its
	// own.
	request func(dst []byte, random *rand.Rand) []byte
}

// result is the outcome of a load.
type result struct {
	statuses map[int]int
	duration time.Duration
}

func (r result) total() (n int) {
	for _, k := range r.statuses {
		n += k
	}
	return n
}

// String says how much and how fast.
func (r result) String() string {
	return fmt.Sprintf("%d requests in %.1f s, %.0f/s, by status %v",
		r.total(), r.duration.Seconds(), float64(r.total())/r.duration.Seconds(), r.statuses)
}

// run returns when ctx ends, and all requests that have been sent are answered, or when all
// connections have ended.
func (l *load) run(ctx context.Context, t *testing.T) result {
	t.Helper()
	var mu sync.Mutex
	total := result{statuses: map[int]int{}}
	var failures []error
	start := time.Now()
	var group sync.WaitGroup
	for i := range l.connections {
		group.Go(func() {
			statuses, err := l.converse(ctx, rand.New(rand.NewPCG(uint64(i), 0)))
			mu.Lock()
			defer mu.Unlock()
			for status, n := range statuses {
				total.statuses[status] += n
			}
			if err != nil {
				failures = append(failures, err)
			}
		})
	}
	group.Wait()
	total.duration = time.Since(start)
	require.NoError(t, errors.Join(failures...))
	return total
}

// converse is one connection's part.
func (l *load) converse(ctx context.Context, random *rand.Rand) (statuses map[int]int, err error) {
	statuses = map[int]int{}
	connection, err := net.Dial("tcp", l.address)
	if err != nil {
		return statuses, err
	}
	defer func() { _ = connection.Close() }()
	in := bufio.NewReader(connection)
	var out []byte
	for ctx.Err() == nil {
		if out = l.request(out[:0], random); out == nil {
			break
		}
		if _, err := connection.Write(out); err != nil {
			return statuses, err
		}
		if err := connection.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return statuses, err
		}
		a, err := readAnswer(in)
		if err != nil {
			return statuses, err
		}
		statuses[a.status]++
	}
	return statuses, nil
}

// answer is a response but for its body.
type answer struct {
	status     int
	retryAfter string
	remaining  string // X-RateLimit-Remaining
}

// readAnswer reads an HTTP/1.1 response with a content-length, as Envoy's own are (RFC 9112 §6.3).
func readAnswer(in *bufio.Reader) (a answer, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return a, err
	}
	if len(line) < 12 {
		return a, fmt.Errorf("no status line: %q", line)
	}
	if a.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return a, err
	}
	length := 0
	for {
		if line, err = in.ReadSlice('\n'); err != nil {
			return a, err
		}
		name, value, ok := strings.Cut(strings.TrimSpace(string(line)), ": ")
		if !ok {
			break
		}
		switch name {
		case "content-length":
			if length, err = strconv.Atoi(value); err != nil {
				return a, err
			}
		case "retry-after":
			a.retryAfter = value
		case "x-ratelimit-remaining":
			a.remaining = value
		}
	}
	_, err = io.CopyN(io.Discard, in, int64(length))
	return a, err
}

// get appends a GET request for a path. header holds names and values in turn.
func get(dst []byte, path string, header ...string) []byte {
	dst = append(append(append(dst, "GET "...), path...), " HTTP/1.1\r\nhost: gate\r\n"...)
	for i := 0; i < len(header); i += 2 {
		dst = append(append(append(append(dst, header[i]...), ": "...), header[i+1]...), "\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// client is one keep-alive connection to send requests over one by one.
type client struct {
	connection net.Conn
	in         *bufio.Reader
}

func connect(t *testing.T, address string) *client {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	return &client{connection, bufio.NewReader(connection)}
}

func (c *client) do(request []byte) (answer, error) {
	if err := c.connection.SetDeadline(time.Now().Add(patience)); err != nil {
		return answer{}, err
	}
	if _, err := c.connection.Write(request); err != nil {
		return answer{}, err
	}
	return readAnswer(c.in)
}
