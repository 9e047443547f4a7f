package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"gatehouse/cmd/testbed/envoy"
)

// EnvoyOptions say how to run an Envoy configuration between toys.
type EnvoyOptions struct {
	// File is the configuration. Each cluster whose name begins with idp is served by a toy issuer
	// that signs what it is asked to, any other by a toy upstream.
	File string
	// Without names clusters for which nothing is started: Command serves them.
	Without []string
	// Command is a program and its arguments, which run while Envoy does, with the addresses of
	// everything in the environment. All ports are free ones then. Without a command Envoy runs, at
	// the ports of the configuration, until the user interrupts it.
	Command []string
	// Wasm is the filter's module.
	Wasm string
	// Out and Err are the command's, too. Progress lines go to Err.
	Out, Err io.Writer
}

// RunEnvoy runs an Envoy configuration until its command ends, ctx ends or the user interrupts it,
// and leaves nothing behind. The error is one line; it is nil where the user ended it.
func RunEnvoy(ctx context.Context, o EnvoyOptions) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := runEnvoy(ctx, o)
	if ctx.Err() != nil {
		return nil // whatever was under way failed because the user ended it
	}
	return err
}

func runEnvoy(ctx context.Context, o EnvoyOptions) (err error) {
	if _, err := os.Stat(o.Wasm); err != nil {
		return fmt.Errorf("the filter is missing, `make build` makes it: %w", err)
	}
	bootstrap, err := envoy.Load(o.File)
	if err != nil {
		return err
	}
	toys, err := startToys(bootstrap, o)
	defer toys.stop()
	if err != nil {
		return err
	}
	logf := func(format string, args ...any) { _, _ = fmt.Fprintf(o.Err, format+"\n", args...) }
	binary, err := envoy.Finder{Version: os.Getenv("GATEHOUSE_ENVOY_VERSION"), Logf: logf}.Find(ctx)
	if err != nil {
		return err
	}
	variables, err := hostVariables(bootstrap)
	if err != nil {
		return err
	}
	audit, err := newAuditFile(o)
	if err != nil {
		return err
	}
	defer audit.remove()
	logf("starting %s with %s; it compiles the filter first, which takes some seconds", binary, o.File)
	process, err := envoy.Start(ctx, envoy.Options{
		Binary: binary, Config: o.File, Wasm: o.Wasm, KeepPorts: len(o.Command) == 0, LogLevel: "warning",
		Env: variables, OnStdout: audit.add, Edits: toys.edits(),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, process.Stop()) }()

	places, err := newPlaces(bootstrap, process, toys)
	if err != nil {
		return err
	}
	if len(o.Command) > 0 {
		err := runCommand(ctx, o, process.Done(), append(variables, places.environment(audit.path)...))
		if err != nil {
			lines := process.Log.Lines()
			logf("%s", strings.Join(lines[max(0, len(lines)-10):], "\n"))
		}
		return err
	}
	audit.follow(places.text(o.File, variables))
	select {
	case <-ctx.Done():
	case <-process.Done():
	}
	return nil
}

// hostVariables returns a value, as "NAME=value", for each environment variable that the
// configuration's VMs take from Envoy's environment: the one of this program, or a random one for
// the admin API's token.
func hostVariables(b envoy.Bootstrap) ([]string, error) {
	var variables []string
	for _, name := range b.HostEnv() {
		value, set := os.LookupEnv(name)
		if !set && name == adminTokenVariable {
			var err error
			if value, err = randomToken(); err != nil {
				return nil, err
			}
		} else if !set {
			return nil, fmt.Errorf("the configuration takes %s from the environment, where it isn't set", name)
		}
		variables = append(variables, name+"="+value)
	}
	return variables, nil
}

const adminTokenVariable = "GATEHOUSE_ADMIN_TOKEN"

// place is something that listens: a listener of Envoy's, or a toy.
type place struct{ name, what, address string }

// places are the places of a running configuration.
type places []place

func newPlaces(b envoy.Bootstrap, process *envoy.Process, t *toys) (places, error) {
	listeners, err := b.Addresses()
	if err != nil {
		return nil, err
	}
	var all places
	for _, name := range slices.Sorted(maps.Keys(listeners)) {
		if name == "" {
			all = append(all, place{"envoy_admin", "Envoy's admin interface", process.AdminAddress()})
		} else {
			all = append(all, place{name, "listener", process.Address(name)})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.at)) {
		all = append(all, place{name, t.what(name), t.at[name]})
	}
	return all, nil
}

// environment returns what the command finds in its environment.
func (p places) environment(auditLog string) []string {
	program, _ := os.Executable() // without it a script says what it lacks
	variables := []string{"AUDIT_LOG=" + auditLog, "GATEHOUSE=" + program}
	for _, place := range p {
		variables = append(variables, variableFor(place.name)+"=http://"+place.address)
	}
	return variables
}

// variableFor is the name of the environment variable with a place's URL.
func variableFor(place string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, place)
}

// text is what a user reads who runs no command.
func (p places) text(file string, variables []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nEnvoy runs %s:\n\n", file)
	for _, place := range p {
		fmt.Fprintf(&b, "  http://%-21s  %s (%s)\n", place.address, place.name, place.what)
	}
	for _, place := range p {
		if place.what == whatIssuer {
			fmt.Fprintf(&b, "\nA token with the claims that you want, beside iss, aud, iat and exp:\n\n"+
				"TOKEN=$(curl -s http://%s/sign -d '{\"sub\": \"alice\", \"email\": \"alice@example.com\"}')\n", place.address)
			break
		}
	}
	if len(variables) > 0 {
		fmt.Fprintf(&b, "\nWhat the filter takes from the environment:\n\n%s\n", strings.Join(variables, "\n"))
	}
	b.WriteString("\nAudit events follow as they happen. Ctrl-C ends everything.\n")
	return b.String()
}

// freeAddress returns an address that nothing listens at.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// auditFile takes the audit events: to a file, for a command, or to the user.
type auditFile struct {
	path string
	file *os.File
	out  *lines
}

func newAuditFile(o EnvoyOptions) (*auditFile, error) {
	if len(o.Command) == 0 {
		return &auditFile{out: &lines{w: o.Out}}, nil
	}
	dir, err := os.MkdirTemp("", "gatehouse-demo-")
	if err != nil {
		return nil, err
	}
	a := &auditFile{path: filepath.Join(dir, "audit.log")}
	if a.file, err = os.Create(a.path); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return a, nil
}

func (a *auditFile) add(line string) {
	switch {
	case line == "": // that of a request without an event
	case a.file != nil:
		_, _ = a.file.WriteString(line + "\n")
	default:
		a.out.print(line)
	}
}

func (a *auditFile) follow(text string) { a.out.print(text) }

func (a *auditFile) remove() {
	if a.file != nil {
		_ = a.file.Close()
		_ = os.RemoveAll(filepath.Dir(a.path))
	}
}
