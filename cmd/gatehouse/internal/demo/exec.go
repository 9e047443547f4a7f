package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"gatehouse/cmd/testbed/child"
)

// commandTimeout is how long a command may take to end after it was told to.
const commandTimeout = 5 * time.Second

// runCommand runs the command with further environment variables until it ends, Envoy ends or ctx
// does, and ends all that it started.
func runCommand(ctx context.Context, o EnvoyOptions, envoyEnded <-chan struct{}, variables []string) error {
	cmd := exec.Command(o.Command[0], o.Command[1:]...)
	cmd.Env = append(os.Environ(), variables...)
	cmd.Stdout, cmd.Stderr = o.Out, o.Err
	cmd.WaitDelay = commandTimeout
	ended := make(chan struct{})
	if err := child.Start(cmd, syscall.SIGTERM, func() { close(ended) }); err != nil {
		return err
	}
	defer func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }() // what it left behind
	var err error
	select {
	case <-ended:
		if !cmd.ProcessState.Success() {
			return fmt.Errorf("%s: %s", o.Command[0], cmd.ProcessState)
		}
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-envoyEnded:
		err = errors.New("the command was ended")
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(commandTimeout):
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	}
	return err
}
