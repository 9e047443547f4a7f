// Command gatehouse checks configurations and tokens the way the filter does. `gatehouse --help`
// lists what it can do.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"gatehouse/cmd/gatehouse/internal/demo"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Exit codes beside 0.
const (
	exitNo    = 1 // the answer is no: errors in a configuration, a token that isn't valid
	exitError = 2 // the question could not be answered
)

// errNo stands for the answer "no", which the command has already printed.
var errNo = errors.New("no")

// run is the program. It returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errNo):
		return exitNo
	}
	_, _ = fmt.Fprintln(errOut, "gatehouse:", oneLine(err.Error()))
	return exitError
}

// newRoot returns the command with all that are below it.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "gatehouse",
		Short:         "Authentication, authorisation and rate limits in the proxy: the tools beside the filter",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(demo.Command(explainForPage), serveCommand(), checkCommand(), tokenCommand(), explainCommand(), renderCommand(),
		auditCommand(), uiCommand(), versionCommand())
	return root
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
