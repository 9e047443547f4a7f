package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/cmd/gatehouse/internal/ui"
)

// uiFlags are the flags of "gatehouse ui".
type uiFlags struct{ admin, tokenFile, listen string }

func uiCommand() *cobra.Command {
	var f uiFlags
	c := &cobra.Command{
		Use:   "ui --admin URL --token-file FILE",
		Short: "Show what the admin API knows on one local page, live",
		Long: `Serve one page on this machine that shows what the admin API knows, live: requests by decision and kind of caller, validation
latency, limits at work, the last refusals and why, the ages of JWK Sets, the effective configuration. The page can look up
one caller's limit and reset it.

FILE holds the admin API's token, and nothing else. The token stays in this program: the browser never has it.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.Context(), c.OutOrStdout()) },
	}
	flags := c.Flags()
	flags.StringVar(&f.admin, "admin", "", "the admin API, a `URL` such as http://127.0.0.1:9902")
	flags.StringVar(&f.tokenFile, "token-file", "", "the `file` with the admin API's token")
	flags.StringVar(&f.listen, "listen", "127.0.0.1:0", "where the page is served, a loopback `address` host:port; port 0 for a free one")
	_ = c.MarkFlagRequired("admin")
	_ = c.MarkFlagRequired("token-file")
	return c
}

func (f *uiFlags) run(ctx context.Context, out io.Writer) error {
	text, err := os.ReadFile(f.tokenFile)
	if err != nil {
		return fmt.Errorf("--token-file: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return fmt.Errorf("--token-file: %s is empty", f.tokenFile)
	}
	page, err := ui.New(f.admin, token, explainForPage)
	if err != nil {
		return fmt.Errorf("--admin: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", f.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	if address, ok := listener.Addr().(*net.TCPAddr); !ok || !address.IP.IsLoopback() {
		_ = listener.Close()
		return fmt.Errorf("--listen: want a loopback address such as 127.0.0.1:9903, got %s", f.listen)
	}
	server := &http.Server{Handler: page, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	_, _ = fmt.Fprintf(out, "the page is at http://%s/ (Ctrl-C ends it)\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
