package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse/cmd/gatehouse/internal/manifest"
	"gatehouse/core/config"
)

// configFlags choose one configuration out of a file that "gatehouse check" takes.
type configFlags struct{ file, plugin string }

func (f *configFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.file, "config", "", "the configuration, a `file`")
	c.Flags().StringVar(&f.plugin, "plugin", "", "the plugin's `name` or title, where the file has several")
	_ = c.MarkFlagRequired("config")
}

// find returns the plugin that the flags name.
func (f *configFlags) find() (*manifest.Plugin, error) {
	text, err := readFile(f.file, nil, manifest.MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.file, err)
	}
	plugins, err := manifest.Read(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.file, err)
	}
	var names []string
	var found []*manifest.Plugin
	for i := range plugins {
		names = append(names, nameOf(plugins, i))
		if f.plugin == "" || plugins[i].Name == f.plugin || plugins[i].Title == f.plugin {
			found = append(found, &plugins[i])
		}
	}
	switch {
	case len(found) == 0:
		return nil, fmt.Errorf("%s: no plugin is named %s: want one of %s", f.file, f.plugin, strings.Join(names, ", "))
	case len(found) > 1:
		return nil, fmt.Errorf("%s: several plugins: say which by --plugin, one of %s", f.file, strings.Join(names, ", "))
	case found[0].Config == nil:
		return nil, fmt.Errorf("%s: %s", f.file, found[0].Errors[0])
	}
	return found[0], nil
}

// load reads the configuration as the filter would.
func (f *configFlags) load() (*config.Config, error) {
	plugin, err := f.find()
	if err != nil {
		return nil, err
	}
	return f.parse(plugin, func(string, string) {})
}

// parse reads a plugin's configuration as the filter would. used is called with each secret that
// comes from the environment.
func (f *configFlags) parse(plugin *manifest.Plugin, used func(name, value string)) (*config.Config, error) {
	cfg, err := config.Parse(plugin.Config, func(name string) (string, bool) {
		value, known, ok := lookup(plugin.Environment, name)
		if known && ok {
			used(name, value)
		}
		return value, known && ok
	})
	return cfg, f.inLine(plugin, err)
}

// check is parse for a configuration that runs elsewhere: secrets that aren't at hand pass. used is
// called with the name of each variable.
func (f *configFlags) check(plugin *manifest.Plugin, used func(name string)) (*config.Config, error) {
	cfg, err := config.Parse(plugin.Config, func(name string) (string, bool) {
		used(name)
		value, known, ok := lookup(plugin.Environment, name)
		if !known || !ok {
			return placeholder(name), true
		}
		return value, true
	})
	return cfg, f.inLine(plugin, err)
}

// inLine puts the parser's problems into one line, each with its place.
func (f *configFlags) inLine(plugin *manifest.Plugin, err error) error {
	var problems config.Problems
	if !errors.As(err, &problems) {
		return err
	}
	var texts []string
	for _, problem := range problems {
		texts = append(texts, where(f.file, "", plugin.Place(problem.Path, problem.Message))+problem.Path+": "+advised(plugin, problem))
	}
	return errors.New(strings.Join(texts, "; "))
}

// nameOf is what the flag --plugin takes for a plugin: its name if no other has the same, else its
// title.
func nameOf(plugins []manifest.Plugin, i int) string {
	for j := range plugins {
		if j != i && plugins[j].Name == plugins[i].Name {
			return plugins[i].Title
		}
	}
	return plugins[i].Name
}
