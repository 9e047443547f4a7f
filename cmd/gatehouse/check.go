package main

import (
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse/cmd/gatehouse/internal/manifest"
	"gatehouse/core/config"
)

func checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE…",
		Short: "Check configurations as the filter would, before it does",
		Long: `Check configurations as the filter would, before it does.

A FILE is a bare configuration (JSON or YAML), a whole envoy.yaml, an Istio WasmPlugin or an Envoy Gateway EnvoyExtensionPolicy;
"-" is the standard input. In the last three a plugin that fails open is an error too. Errors and warnings are lines on the
standard error, "FILE: path: message". The exit code is 1 if there are errors, 0 if there are only warnings.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			ck := checker{in: c.InOrStdin(), out: c.OutOrStdout(), err: c.ErrOrStderr()}
			for _, file := range files {
				ck.file(file)
			}
			if ck.errors > 0 {
				return errNo
			}
			return nil
		},
	}
}

type checker struct {
	in       io.Reader
	out, err io.Writer
	errors   int
}

func (c *checker) problem(where, message string) {
	c.errors++
	_, _ = fmt.Fprintf(c.err, "%s: %s\n", where, message)
}

func (c *checker) file(name string) {
	before := c.errors
	text, err := readFile(name, c.in, manifest.MaxBytes)
	if err != nil {
		c.problem(name, oneLine(err.Error()))
		return
	}
	plugins, err := manifest.Read(text)
	if err != nil {
		c.problem(name, oneLine(err.Error()))
		return
	}
	for i, p := range plugins {
		where := name
		switch {
		case len(plugins) == 1:
		case p.Name == "":
			where += ": configuration " + strconv.Itoa(i+1)
		default:
			where += ": " + p.Name
		}
		c.plugin(where, p)
	}
	if c.errors == before {
		_, _ = fmt.Fprintf(c.out, "%s: ok\n", name)
	}
}

func (c *checker) plugin(where string, p manifest.Plugin) {
	for _, message := range p.Problems {
		c.problem(where, message)
	}
	if p.Config == nil {
		return
	}
	parsed, err := config.Parse(p.Config, func(name string) (string, bool) {
		value, known, ok := lookup(p.Environment, name)
		if ok && !known {
			c.warning(where, "environment variable "+name+": not set here, so its value was not checked")
			return placeholder(name), true
		}
		return value, ok
	})
	var problems config.Problems
	if errors.As(err, &problems) {
		for _, problem := range problems {
			c.problem(where, problem.Path+": "+problem.Message)
		}
		return
	}
	for _, w := range parsed.Warnings {
		c.warning(where, w)
	}
}

// warning prints "path: message" with the word in between.
func (c *checker) warning(where, message string) {
	path, text, _ := strings.Cut(message, ": ")
	_, _ = fmt.Fprintf(c.err, "%s: %s: warning: %s\n", where, path, text)
}

// lookup finds a variable that the VM would see. known is false where only the proxy's own
// environment has the value.
func lookup(env *manifest.Environment, name string) (value string, known, ok bool) {
	if env != nil {
		if value, ok = env.Values[name]; ok {
			return value, true, true
		}
		if !env.Host[name] {
			return "", true, false
		}
	}
	value, known = os.LookupEnv(name)
	return value, known, true
}

// placeholder stands for a secret whose value isn't at hand: a key that is long enough for every
// algorithm.
func placeholder(name string) string {
	sum := sha512.Sum512([]byte(name))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
