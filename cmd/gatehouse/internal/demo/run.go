package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

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
	return untilInterrupted(ctx, func(ctx context.Context) error { return runEnvoy(ctx, o) })
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
