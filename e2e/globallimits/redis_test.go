package globallimits_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// newRedis prepares a Redis server that keeps everything in memory. It skips the test where there
// is none.
func newRedis(t *testing.T, dir string) *program {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		const missing = "redis-server is missing: install Debian's package redis-server"
		if os.Getenv("CI") == "true" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	socket := filepath.Join(dir, "redis.sock")
	return newProgram(t, path, dir, socket, []string{"--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no"}, nil)
}

// redisClient speaks as much RESP as the tests need.
type redisClient struct {
	t *testing.T
	w *bufio.Writer
	r *bufio.Reader
}

func dialRedis(t *testing.T, redis *program) *redisClient {
	t.Helper()
	connection, err := net.Dial("unix", redis.socket)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	require.NoError(t, connection.SetDeadline(time.Now().Add(5*time.Minute)))
	return &redisClient{t: t, w: bufio.NewWriter(connection), r: bufio.NewReader(connection)}
}

// send queues a command.
func (c *redisClient) send(args ...string) {
	_, _ = fmt.Fprintf(c.w, "*%d\r\n", len(args))
	for _, a := range args {
		_, _ = fmt.Fprintf(c.w, "$%d\r\n%s\r\n", len(a), a)
	}
}

// receive returns the answer to the oldest command that has none, an integer, a status or a bulk
// string.
func (c *redisClient) receive() string {
	c.t.Helper()
	require.NoError(c.t, c.w.Flush())
	line, err := c.r.ReadString('\n')
	require.NoError(c.t, err)
	kind, rest := line[0], strings.TrimSpace(line[1:])
	require.NotEqual(c.t, byte('-'), kind, rest)
	if kind != '$' {
		return rest
	}
	size, err := strconv.Atoi(rest)
	require.NoError(c.t, err)
	body := make([]byte, size+2)
	_, err = io.ReadFull(c.r, body)
	require.NoError(c.t, err)
	return string(body[:size])
}

// info returns one figure of INFO, such as used_memory, or the calls of a command from
// cmdstat_incrby; 0 where it is absent.
func (c *redisClient) info(section, name string) int {
	c.t.Helper()
	c.send("INFO", section)
	for line := range strings.Lines(c.receive()) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			value, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimSpace(value), "calls="), ",")
			n, err := strconv.Atoi(value)
			require.NoError(c.t, err)
			return n
		}
	}
	return 0
}

// commands returns how many INCRBY and EXPIRE there have been: the two that the service sends for
// each descriptor.
func (c *redisClient) commands() int {
	return c.info("commandstats", "cmdstat_incrby") + c.info("commandstats", "cmdstat_expire")
}
