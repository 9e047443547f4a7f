package main

import (
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse/cmd/gatehouse/internal/lint"
	"gatehouse/cmd/gatehouse/internal/manifest"
	"gatehouse/core/config"
)

func checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE…",
		Short: "Check configurations as the filter would, before it does",
		Long: `Check configurations as the filter would, before it does.

A FILE is a bare configuration (JSON or YAML) or what holds one: an envoy.yaml, an LDS file or Envoy's /config_dump, an Istio
WasmPlugin or EnvoyFilter, an Envoy Gateway EnvoyExtensionPolicy, lists of these, and ConfigMaps and Secrets that hold any of
these; "-" is the standard input. Around a plugin, what makes it fail open is an error, and what makes it weaker than it looks a
warning. Errors and warnings are lines on the standard error, "FILE:LINE:COLUMN: path: message", with the plugin's kind,
namespace and name before the path. The exit code is 1 if there are errors, 0 if there are only warnings.`,
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

// problem prints "FILE:LINE:COLUMN: TITLE: path: message".
func (c *checker) problem(file, title string, f manifest.Finding) {
	c.errors++
	_, _ = fmt.Fprintln(c.err, where(file, title, f.Place)+f.String())
}

// warning is problem with the word in between.
func (c *checker) warning(file, title string, f manifest.Finding) {
	message := "warning: " + f.Message
	if f.Path != "" {
		message = f.Path + ": " + message
	}
	_, _ = fmt.Fprintln(c.err, where(file, title, f.Place)+message)
}

func where(file, title string, at manifest.Place) string {
	if place := at.String(); place != "" {
		file += ":" + place
	}
	if title != "" {
		file += ": " + title
	}
	return file + ": "
}

func (c *checker) file(name string) {
	before := c.errors
	text, err := readFile(name, c.in, manifest.MaxBytes)
	if err != nil {
		c.problem(name, "", manifest.Finding{Message: oneLine(err.Error())})
		return
	}
	plugins, err := manifest.Read(text)
	var unreadable *manifest.Error
	if errors.As(err, &unreadable) {
		c.problem(name, "", unreadable.Finding)
		return
	}
	for i, p := range plugins {
		if p.Title == "" && len(plugins) > 1 {
			p.Title = "configuration " + strconv.Itoa(i+1)
		}
		c.plugin(name, p)
	}
	if c.errors == before {
		_, _ = fmt.Fprintf(c.out, "%s: ok\n", name)
	}
}

func (c *checker) plugin(file string, p manifest.Plugin) {
	for _, f := range p.Errors {
		c.problem(file, p.Title, f)
	}
	var warnings []manifest.Finding
	if p.Config != nil {
		parsed, err := config.Parse(p.Config, func(name string) (string, bool) {
			value, known, ok := lookup(p.Environment, name)
			if ok && !known {
				warnings = append(warnings, manifest.Finding{Path: "environment variable " + name, Message: "not set here, so its value was not checked"})
				return placeholder(name), true
			}
			return value, ok
		})
		var problems config.Problems
		if errors.As(err, &problems) {
			for _, problem := range problems {
				c.problem(file, p.Title, located(p, problem.Path, advised(&p, problem)))
			}
		} else {
			for _, w := range parsed.Warnings {
				path, message, _ := strings.Cut(w, ": ")
				warnings = append(warnings, located(p, path, message))
			}
			for _, w := range lint.Warnings(p.Config) {
				warnings = append(warnings, located(p, w.Path, w.Message))
			}
		}
	}
	for _, w := range append(warnings, p.Warnings...) {
		c.warning(file, p.Title, w)
	}
}

// advised is a problem's message, with what to write instead.
func advised(p *manifest.Plugin, problem config.Problem) string {
	text, isString := p.Value(problem.Path)
	if advice := lint.Advice(problem.Path, problem.Message, lint.Value{Text: text, IsString: isString}); advice != "" {
		return problem.Message + "; " + advice
	}
	return problem.Message
}

// located is a finding of the configuration's parser at its place in the file. Where that is a
// position of text, it takes the place of the path.
func located(p manifest.Plugin, path, message string) manifest.Finding {
	f := manifest.Finding{Place: p.Place(path, message), Path: path, Message: message}
	if strings.HasPrefix(path, "line ") && f.Place.Line > 0 {
		f.Path = ""
	}
	return f
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

// placeholder stands for a secret whose value isn't at hand: a text that is valid base64 in both
// alphabets, and long enough for every key.
func placeholder(name string) string {
	sum := sha512.Sum512([]byte(name))
	return hex.EncodeToString(sum[:])
}
