// Command release checks what a release of Gatehouse links, and makes what it consists of. The
// Makefile runs it in its own folder.
package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// root is the repository, seen from this folder.
const root = "../.."

var commands = map[string]func(ctx context.Context, out io.Writer, args []string) error{
	"archives": archives,
	"check":    check,
	"image":    makeImage,
	"push":     push,
	"ready":    ready,
}

func hash(content []byte) string { return fmt.Sprintf("%x", sha256.Sum256(content)) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: release archives|check|image|push|ready [FLAG]...")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](ctx, os.Stdout, os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "release "+os.Args[1]+":", err)
		os.Exit(1)
	}
}
