package envoy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"gatehouse/cmd/testbed/child"
)

const (
	// readyTimeout is generous: Envoy compiles the module while it starts, seconds of CPU that it
	// may have to share.
	readyTimeout = 5 * time.Minute
	// readyInterval is the pause between two looks at a starting Envoy.
	readyInterval = 20 * time.Millisecond
	// stopTimeout is how long Envoy may take to end by itself before it is killed.
	stopTimeout = 5 * time.Second
	// flushInterval is when Envoy writes its access logs at the latest; its own default is 10 s.
	flushInterval = 50 * time.Millisecond
)

// Options say what to start.
type Options struct {
	// Binary is the Envoy, from [Find].
	Binary Binary
	// Config is the path of an Envoy configuration in YAML. File names in it are relative to its
	// directory.
	Config string
	// Wasm is the module that all Wasm plugins load; empty for those that the configuration names.
	Wasm string
	// Edits change the configuration, in order.
	Edits []Edit
	// KeepPorts leaves the ports of listeners and admin API as configured, instead of free ones.
	KeepPorts bool
	// Concurrency is the number of worker threads; 0 for 1.
	Concurrency int
	// Drain is for how long Envoy drains what an update replaces, at the least a second: 0 for its
	// own 10 minutes, with few signs to clients at first; else clients are told at once.
	Drain time.Duration
	// LogLevel is Envoy's, such as "warning"; empty for "info".
	LogLevel string
	// ComponentLogLevel sets single components, such as "wasm:debug"; empty for none.
	ComponentLogLevel string
	// Env are environment variables for Envoy, as "NAME=value", beside those of this process.
	Env []string
	// Args are further options of Envoy's command line, such as "--drain-time-s", "10".
	Args []string
	// OnStdout receives each line of Envoy's standard output, where the access log goes by default;
	// nil for none.
	OnStdout func(line string)
}

// Process is a running Envoy.
type Process struct {
	// Log is what Envoy logs, Stdout its standard output.
	Log, Stdout *Log

	binary    Binary
	container string // name of the Docker container; empty for a plain process
	cmd       *exec.Cmd
	pid       int
	dir       string
	admin     string
	addresses map[string]string
	http      *http.Client

	done chan struct{} // closed when the process has ended
	stop sync.Once
}

// Start starts Envoy and returns when it serves. It is stopped by [Process.Stop], or when ctx ends.
//
// Where Envoy refuses to start, e.g. because a plugin refuses its configuration, the error is a
// [*StartError].
func Start(ctx context.Context, o Options) (*Process, error) {
	dir, err := os.MkdirTemp("", "gatehouse-envoy-")
	if err != nil {
		return nil, err
	}
	p := &Process{
		Log: newLog(nil), Stdout: newLog(o.OnStdout), binary: o.Binary, dir: dir,
		http: &http.Client{Transport: &http.Transport{}}, done: make(chan struct{}),
	}
	if err := p.start(ctx, o); err != nil {
		_ = p.Stop()
		return nil, err
	}
	go func() {
		select {
		case <-ctx.Done():
			_ = p.Stop()
		case <-p.done:
		}
	}()
	return p, nil
}

func (p *Process) start(ctx context.Context, o Options) error {
	bootstrap, err := prepare(o)
	if err != nil {
		return err
	}
	config, err := bootstrap.encode()
	if err != nil {
		return err
	}
	configPath, adminPath := filepath.Join(p.dir, "envoy.json"), filepath.Join(p.dir, "admin")
	if err := os.WriteFile(configPath, config, 0o600); err != nil {
		return err
	}
	args := []string{
		"--config-path", configPath,
		"--admin-address-path", adminPath,
		"--disable-hot-restart", // its shared memory would tie together all Envoys of this machine
		"--concurrency", strconv.Itoa(max(o.Concurrency, 1)),
		"--file-flush-interval-msec", strconv.FormatInt(flushInterval.Milliseconds(), 10),
	}
	if o.Drain != 0 {
		args = append(args, "--drain-time-s", strconv.Itoa(int(o.Drain.Seconds())), "--drain-strategy", "immediate")
	}
	if o.LogLevel != "" {
		args = append(args, "--log-level", o.LogLevel)
	}
	if o.ComponentLogLevel != "" {
		args = append(args, "--component-log-level", o.ComponentLogLevel)
	}
	args = append(args, o.Args...)
	if p.binary.Image != "" {
		p.container = filepath.Base(p.dir)
		dirs := mounts(map[string]any(bootstrap), []string{p.dir})
		p.cmd = exec.Command(p.binary.Docker, dockerRun(p.container, p.binary.Image, o.Env, dirs, args)...)
	} else {
		p.cmd = exec.Command(p.binary.Path, args...)
		p.cmd.Env = append(os.Environ(), o.Env...)
	}
	if err := p.launch(); err != nil {
		return err
	}
	return p.awaitReady(ctx, adminPath)
}

// prepare loads the configuration and edits it.
func prepare(o Options) (Bootstrap, error) {
	bootstrap, err := Load(o.Config)
	if err != nil {
		return nil, err
	}
	base, err := filepath.Abs(filepath.Dir(o.Config))
	if err != nil {
		return nil, err
	}
	edits := []Edit{absoluteFiles(base)}
	if o.Wasm != "" {
		wasm, err := filepath.Abs(o.Wasm)
		if err != nil {
			return nil, err
		}
		edits = append(edits, wasmFile(wasm))
	}
	edits = append(edits, o.Edits...)
	if !o.KeepPorts {
		edits = append(edits, freePorts)
	}
	for _, edit := range edits {
		if err := edit(bootstrap); err != nil {
			return nil, err
		}
	}
	return bootstrap, nil
}

// launch starts the command. SIGTERM is the signal for the case that this program dies, because the
// docker client passes it on to its container.
func (p *Process) launch() error {
	p.cmd.Stdout, p.cmd.Stderr = p.Stdout, p.Log
	p.cmd.WaitDelay = stopTimeout
	return child.Start(p.cmd, syscall.SIGTERM, func() {
		p.Log.end()
		p.Stdout.end()
		close(p.done)
	})
}

// awaitReady returns when Envoy says that it serves, with all its addresses known.
func (p *Process) awaitReady(ctx context.Context, adminPath string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	for {
		ready, err := p.ready(ctx, adminPath)
		if err != nil {
			return err
		}
		if ready {
			p.pid = p.cmd.Process.Pid
			if p.container != "" {
				p.pid, err = dockerPID(ctx, p.binary.Docker, p.container)
			}
			return err
		}
		select {
		case <-tick.C:
		case <-p.done:
			return startError(p.Log, p.cmd.ProcessState.String())
		case <-ctx.Done():
			return startError(p.Log, "not ready: "+ctx.Err().Error())
		}
	}
}

// ready looks once. It is no error if Envoy isn't ready yet.
func (p *Process) ready(ctx context.Context, adminPath string) (bool, error) {
	if p.admin == "" {
		address, err := os.ReadFile(adminPath)
		if errors.Is(err, os.ErrNotExist) || len(address) == 0 {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		p.admin = strings.TrimSpace(string(address))
	}
	if _, err := p.Admin(ctx, http.MethodGet, "/ready"); err != nil {
		return false, nil //nolint:nilerr // not reachable yet, or 503 while it initialises
	}
	addresses, err := p.listeners(ctx)
	if err != nil {
		return false, err
	}
	for _, address := range addresses {
		if strings.HasSuffix(address, ":0") {
			return false, nil // not bound yet
		}
	}
	p.addresses = addresses
	return true, nil
}

// Address returns where a listener listens, "host:port". It panics if there is no such listener:
// that is a mistake in the caller.
func (p *Process) Address(listener string) string {
	address, ok := p.addresses[listener]
	if !ok {
		panic("envoy has no listener " + strconv.Quote(listener))
	}
	return address
}

// URL returns the http URL of a path on a listener.
func (p *Process) URL(listener, path string) string { return "http://" + p.Address(listener) + path }

// PID returns the process id of Envoy itself.
func (p *Process) PID() int { return p.pid }

// Done returns a channel that is closed when Envoy has ended, for whatever reason.
func (p *Process) Done() <-chan struct{} { return p.done }

// Stop ends Envoy and waits until it is gone, which takes a few seconds at most. It may be called
// more than once. The error says that Envoy had already ended by itself.
func (p *Process) Stop() error {
	var err error
	p.stop.Do(func() {
		p.http.CloseIdleConnections()
		err = errors.Join(p.end(), os.RemoveAll(p.dir))
	})
	return err
}

func (p *Process) end() error {
	if p.cmd == nil || p.cmd.Process == nil {
		return nil // it never started
	}
	select {
	case <-p.done:
		return fmt.Errorf("envoy ended by itself: %s", p.cmd.ProcessState)
	default:
	}
	group := -p.cmd.Process.Pid // of which it is the leader
	_ = syscall.Kill(group, syscall.SIGTERM)
	select {
	case <-p.done:
		return nil
	case <-time.After(stopTimeout):
	}
	if p.container != "" {
		_, _ = output(context.Background(), p.binary.Docker, "kill", p.container)
	}
	_ = syscall.Kill(group, syscall.SIGKILL)
	<-p.done
	return nil
}

// Admin sends a request to the admin API and returns the body of its answer. Any status but 200 is
// an error.
func (p *Process) Admin(ctx context.Context, method, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+p.admin+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := p.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("envoy admin %s %s: %s: %.200s", method, path, response.Status, body)
	}
	return body, err
}
