// Command testrun runs `go test` for a person or for CI: a line for each package as it ends, with
// how far the run is, the whole output of what failed, and one line at the end. The output of
// `go test -v` goes to a log.
//
//	testrun -log FILE -- GO_TEST_ARGUMENT… [-- GO_TEST_ARGUMENT…]…
//
// Each -- begins a group, which is one `go test`. Groups run one after the other, and none after
// one that failed. Flags with a value are written with =, as -timeout=30m, so that the other words
// are packages. -C=FOLDER, as the first word of a group, is for the packages of another module.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Exit codes beside 0.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // as shells have it
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the program. It returns the exit code.
func run(args []string, out, errOut io.Writer) int {
	flags := flag.NewFlagSet("testrun", flag.ContinueOnError)
	flags.SetOutput(errOut)
	path := flags.String("log", "", "where the output of `go test -v` goes")
	if err := flags.Parse(args); err != nil {
		return exitUsage
	}
	groups := split(flags.Args())
	if *path == "" || len(groups) == 0 {
		_, _ = fmt.Fprintln(errOut, "usage: testrun -log FILE -- GO_TEST_ARGUMENT... [-- GO_TEST_ARGUMENT...]...")
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	before := lastLine(*path)
	log, err := create(*path)
	if err != nil {
		_, _ = fmt.Fprintln(errOut, "testrun:", err)
		return exitFailed
	}
	r := newReport(out, log, time.Now)
	code := testAll(ctx, r, groups, before, *path, errOut)
	if err := log.Close(); err != nil {
		_, _ = fmt.Fprintln(errOut, "testrun:", err)
		code = max(code, exitFailed)
	}
	return code
}

// testAll runs the groups and reports. before is the last line of an earlier run's log.
func testAll(ctx context.Context, r *report, groups [][]string, before, path string, errOut io.Writer) int {
	for _, group := range groups {
		n, err := count(ctx, group, errOut)
		if err != nil && ctx.Err() == nil {
			_, _ = fmt.Fprintln(errOut, "testrun: go list:", err)
			return exitFailed
		}
		r.total += n
	}
	r.begin(before, path)
	var err error
	for _, group := range groups {
		if err = goTest(ctx, r, group, errOut); err != nil {
			break
		}
	}
	interrupted := ctx.Err() != nil
	ok := r.end(interrupted, err, path)
	switch {
	case interrupted:
		return exitInterrupted
	case !ok:
		return exitFailed
	}
	return 0
}

// split cuts arguments into groups: one before each --, but for an empty first one.
func split(args []string) (groups [][]string) {
	var group []string
	for _, arg := range args {
		if arg != "--" {
			group = append(group, arg)
			continue
		}
		if group != nil {
			groups = append(groups, group)
		}
		group = nil
	}
	if group != nil {
		groups = append(groups, group)
	}
	return groups
}

// create makes a file and its directory.
func create(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return os.Create(path)
}

// lastLine returns the last line of a file; "" if there is none.
func lastLine(path string) string {
	const tail = 4096
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	if _, err := file.Seek(-tail, io.SeekEnd); err != nil && !errors.Is(err, syscall.EINVAL) {
		return ""
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}
