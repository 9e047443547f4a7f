package globallimits_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/child"
	"gatehouse/cmd/testbed/envoy"
)

// startTimeout is how long a program may take until it accepts connections.
const startTimeout = time.Minute

// program is a process that serves on a Unix socket, which no other program can take by chance.
type program struct {
	socket string
	log    *envoy.Log

	path, dir string
	args, env []string
	cmd       *exec.Cmd
	done      chan struct{}
}

// newProgram prepares a program; the test stops it.
func newProgram(t *testing.T, path, dir, socket string, args, env []string) *program {
	p := &program{path: path, dir: dir, socket: socket, args: args, env: env}
	t.Cleanup(p.kill)
	return p
}

// start starts the program, again if it has been killed, and returns when it accepts connections.
func (p *program) start(t *testing.T) {
	t.Helper()
	_ = os.Remove(p.socket) // what a killed one left behind
	p.log = envoy.NewLog()
	p.cmd = exec.Command(p.path, p.args...)
	p.cmd.Dir, p.cmd.Env = p.dir, append(os.Environ(), p.env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	done := make(chan struct{})
	p.done = done
	require.NoError(t, child.Start(p.cmd, syscall.SIGKILL, func() { close(done) }))

	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if connection, err := net.Dial("unix", p.socket); err == nil {
			_ = connection.Close()
			return
		}
		select {
		case <-tick.C:
		case <-p.done:
			require.Fail(t, "the program ended", "%s: %s\n%s", filepath.Base(p.path), p.cmd.ProcessState, p.log)
		case <-ctx.Done():
			require.Fail(t, "the program does not serve", "%s\n%s", filepath.Base(p.path), p.log)
		}
	}
}

// signal sends a signal to the program and its children.
func (p *program) signal(s syscall.Signal) {
	if p.cmd != nil && p.cmd.Process != nil {
		_ = syscall.Kill(-p.cmd.Process.Pid, s)
	}
}

// kill ends the program and returns when it is gone.
func (p *program) kill() {
	if p.cmd == nil || p.cmd.Process == nil {
		return
	}
	select {
	case <-p.done:
	default:
		p.signal(syscall.SIGKILL)
		<-p.done
	}
}
