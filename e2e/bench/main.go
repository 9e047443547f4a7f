package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"gatehouse/cmd/testbed/envoy"
)

// lab is what all measurements share.
type lab struct {
	dir         string // of logs and configurations
	envoy       envoy.Binary
	wasm        string // the filter
	noop        string // the module that does nothing
	quick       bool   // the tables alone
	rounds      int
	period      time.Duration // of one measurement
	starting    int           // starts of each subject of which start-up is measured
	identifiers []int         // the points of the curve of identifiers
	started     int           // Envoys so far
	began       time.Time
}

func main() {
	quick := flag.Bool("quick", false, "the tables alone, in fewer and shorter rounds: under two minutes, with wider intervals")
	module := flag.String("wasm", "", "measure this module instead of the one that the sources make: for comparing two builds")
	memory := flag.Bool("memory", false, "only how much memory two million requests leave behind")
	out := flag.String("out", "dist/bench", "the folder for bench.json and bench.svg")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *quick, *memory, *module, *out); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, quick, memory bool, module, out string) error {
	l := &lab{
		rounds: 9, period: 600 * time.Millisecond, starting: 5, identifiers: []int{1, 1000, 1_000_000}, began: time.Now(),
	}
	if quick {
		l.quick, l.rounds, l.period = true, 3, 200*time.Millisecond
	}
	if runtime.NumCPU() > 1 {
		if err := pin(os.Getpid(), loadCore); err != nil {
			return err
		}
	}
	var err error
	if l.dir, err = os.MkdirTemp("", "gatehouse-bench-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(l.dir) }()
	if l.wasm, err = absolute(module); err != nil {
		return err
	}
	if err := l.tools(ctx); err != nil {
		return err
	}
	p, err := newPlan(l.say)
	if err != nil {
		return err
	}
	if memory {
		return l.memory(ctx, p)
	}
	r, err := l.measure(ctx, p)
	if err != nil {
		return err
	}
	fmt.Print(r.text())
	return r.write(out)
}

// tools finds Envoy and builds the modules.
func (l *lab) tools(ctx context.Context) (err error) {
	if l.envoy, err = envoy.Find(ctx, l.say); err != nil {
		return err
	}
	if l.wasm == "" {
		l.say("building the filter")
		if l.wasm, err = envoy.BuildFilter(ctx); err != nil {
			return err
		}
	}
	root, err := envoy.RepoRoot()
	if err != nil {
		return err
	}
	l.noop = filepath.Join(l.dir, "noop.wasm")
	build := exec.CommandContext(ctx, "go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags", "-s -w", "-o", l.noop,
		"gatehouse/e2e/bench/noop")
	build.Dir = root
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the module that does nothing: %w\n%s", err, text)
	}
	return nil
}

// absolute makes a path independent of the working directory; "" stays.
func absolute(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	return filepath.Abs(path)
}

// say reports progress, with the seconds since the start.
func (l *lab) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%5.0f s  %s\n", time.Since(l.began).Seconds(), fmt.Sprintf(format, args...))
}
