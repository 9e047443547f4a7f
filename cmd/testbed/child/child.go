// Package child starts programs that don't outlive this one.
package child

import (
	"os/exec"
	"runtime"
	"syscall"
)

// Start starts a command in a process group of its own, which it leads, so that a Ctrl-C at the
// terminal reaches only this program, which then ends the command in order. If this program dies
// first, the kernel sends the command the signal (on Linux only). ended is called in a goroutine
// when the command has ended and all its output is written. It isn't called if Start returns an
// error.
func Start(cmd *exec.Cmd, signal syscall.Signal, ended func()) error {
	cmd.SysProcAttr = attributes(signal)
	started := make(chan error)
	go func() {
		// The kernel ties the signal to the thread that started the child, so that thread must live
		// as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in cmd.ProcessState
			ended()
		}
	}()
	return <-started
}
