package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"gatehouse/cmd/gatehouse/internal/lint"
	"gatehouse/cmd/gatehouse/internal/render"
)

// forms are the values of --as.
var forms = []struct {
	name  string
	write func(render.Options) ([]byte, error)
	image bool // it names the filter's image
}{
	{"envoy", render.Envoy, false},
	{"wasmplugin", render.WasmPlugin, true},
	{"extensionpolicy", render.ExtensionPolicy, true},
	{"json", render.JSON, false},
}

// placeholderImage stands for an image that isn't given.
const placeholderImage = "registry.example/gatehouse:VERSION"

func renderCommand() *cobra.Command {
	var config configFlags
	var resource resourceFlags
	var as string
	c := &cobra.Command{
		Use:   "render --config FILE --as envoy|wasmplugin|extensionpolicy|json",
		Short: "Write a configuration as a proxy takes it",
		Long: `Write a configuration, once it is checked, as a proxy takes it: an entry of Envoy's http_filters, Istio's WasmPlugin or Envoy
Gateway's EnvoyExtensionPolicy to "kubectl apply", or the configuration alone as JSON.

FILE is what "gatehouse check" takes. Secrets stay the names of environment variables.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var names []string
			for _, form := range forms {
				names = append(names, form.name)
			}
			i := slices.Index(names, as)
			if i < 0 {
				return errors.New("--as: " + lint.Want(names, as))
			}
			o, err := resource.options(c, as)
			if err != nil {
				return err
			}
			if o.Image == "" && forms[i].image {
				o.Image = placeholderImage
				_, _ = fmt.Fprintln(c.ErrOrStderr(), "gatehouse: no --image: replace "+placeholderImage)
			}
			plugin, err := config.find()
			if err != nil {
				return err
			}
			o.Config = plugin.Config
			cfg, err := config.check(plugin, func(name string) {
				if !slices.Contains(o.Env, name) {
					o.Env = append(o.Env, name)
				}
			})
			if err != nil {
				return err
			}
			for _, p := range cfg.Tokens.Providers {
				o.ClaimsFrom = o.ClaimsFrom || p.ClaimsFrom != nil
			}
			data, err := forms[i].write(o)
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(data)
			return err
		},
	}
	config.register(c)
	c.Flags().StringVar(&as, "as", "", "the form: envoy, wasmplugin, extensionpolicy or json")
	resource.register(c)
	_ = c.MarkFlagRequired("as")
	return c
}
