package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// grace is how long tests may take to end after an interrupt.
const grace = 10 * time.Second

// goTool is the go command. make passes the one that it uses itself.
func goTool() string {
	if tool := os.Getenv("GO"); tool != "" {
		return tool
	}
	return "go"
}

// inFolder begins a go command. A group may begin with -C=FOLDER, for another module's packages;
// the go command wants it before all other flags.
func inFolder(command string, group []string) (args, rest []string) {
	args = []string{command}
	if len(group) > 0 && strings.HasPrefix(group[0], "-C=") {
		args, group = append(args, group[0]), group[1:]
	}
	return args, group
}

// count returns the number of packages with tests that a group names.
func count(ctx context.Context, group []string, errOut io.Writer) (int, error) {
	args, group := inFolder("list", group)
	args = append(args, "-f", "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}")
	for _, arg := range group {
		if !strings.HasPrefix(arg, "-") {
			args = append(args, arg)
		}
	}
	c := exec.CommandContext(ctx, goTool(), args...)
	c.Stderr = errOut
	list, err := c.Output()
	return len(bytes.Fields(list)), err
}

// goTest runs one `go test` and hands its events to the report. The error is that of the command,
// such as an exit status other than 0.
func goTest(ctx context.Context, r *report, group []string, errOut io.Writer) error {
	args, group := inFolder("test", group)
	c := exec.CommandContext(ctx, goTool(), append(append(args, "-json"), group...)...)
	c.Stderr = io.MultiWriter(errOut, r.log)
	// A process group of its own: an interrupt reaches the tests too, however it reached us.
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGINT) }
	c.WaitDelay = grace
	events, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	defer func() { _ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }() // whoever has not ended
	killed := context.AfterFunc(ctx, func() {
		time.AfterFunc(grace, func() { _ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
	})
	defer killed()

	lines := make(chan []byte)
	go func() {
		defer close(lines)
		reader := bufio.NewReader(events)
		for {
			line, err := reader.ReadBytes('\n')
			if len(line) > 0 {
				lines <- line
			}
			if err != nil {
				return
			}
		}
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for open := true; open; {
		select {
		case line, more := <-lines:
			if open = more; open {
				handle(r, line)
			}
		case <-tick.C:
			r.heartbeat()
		}
	}
	return c.Wait()
}

// handle reads one line of `go test -json`. A line that is no event is output of the command's own.
func handle(r *report, line []byte) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil || e.Action == "" {
		e = event{Action: "build-output", Output: string(line)}
	}
	r.event(e)
}
