package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse/cmd/gatehouse/internal/render"
)

// resourceFlags are the flags for the resource around a configuration.
type resourceFlags struct {
	image, namespace, gateway string
	selector                  []string
	inbound                   bool
}

// onlyWith are the forms that take a flag; the others refuse it.
var onlyWith = []struct {
	flag  string
	forms []string
}{
	{"image", []string{"wasmplugin", "extensionpolicy"}},
	{"namespace", []string{"wasmplugin", "extensionpolicy"}},
	{"selector", []string{"wasmplugin"}},
	{"inbound", []string{"wasmplugin"}},
	{"gateway", []string{"extensionpolicy"}},
}

func (f *resourceFlags) register(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.image, "image", "", "the filter's OCI image, a `reference`")
	flags.StringVar(&f.namespace, "namespace", "", "the resource's `namespace`")
	flags.StringSliceVar(&f.selector, "selector", nil, "with wasmplugin: the workload's labels, `NAME=VALUE,…`; without them it stands on all workloads of its namespace")
	flags.BoolVar(&f.inbound, "inbound", false, "with wasmplugin: only requests that come in, for sidecars; leave it out for a gateway")
	flags.StringVar(&f.gateway, "gateway", "", "with extensionpolicy: the Gateway, `NAME[/LISTENER]`; without a listener all of them")
}

// options reads the flags for a form of output.
func (f *resourceFlags) options(c *cobra.Command, as string) (o render.Options, err error) {
	flags := c.Flags()
	for _, only := range onlyWith {
		if flags.Changed(only.flag) && !slices.Contains(only.forms, as) {
			return o, errors.New("--" + only.flag + ": only with --as " + strings.Join(only.forms, " or ") + ", got " + as)
		}
	}
	o = render.Options{Image: strings.TrimPrefix(f.image, "oci://"), Namespace: f.namespace, Inbound: f.inbound}
	if flags.Changed("namespace") && !kubernetesName.MatchString(f.namespace) {
		return o, fmt.Errorf("--namespace: want letters a to z, digits and -, got %q", f.namespace)
	}
	if flags.Changed("gateway") {
		var hasListener bool
		o.Gateway, o.Listener, hasListener = strings.Cut(f.gateway, "/")
		if !kubernetesName.MatchString(o.Gateway) || hasListener && !kubernetesName.MatchString(o.Listener) {
			return o, fmt.Errorf("--gateway: want NAME or NAME/LISTENER, got %q", f.gateway)
		}
	}
	for _, text := range f.selector {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" || slices.ContainsFunc(o.Selector, func(l render.Label) bool { return l.Name == name }) {
			return o, fmt.Errorf("--selector: want NAME=VALUE,… with different names, got %q", strings.Join(f.selector, ","))
		}
		o.Selector = append(o.Selector, render.Label{Name: name, Value: value})
	}
	if flags.Changed("selector") && len(o.Selector) == 0 {
		return o, errors.New("--selector: want NAME=VALUE,…, got none: that would select all workloads")
	}
	return o, nil
}

// kubernetesName is a name that Kubernetes may accept for a namespace, a Gateway or a listener.
var kubernetesName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
