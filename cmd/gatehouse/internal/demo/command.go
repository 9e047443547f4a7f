package demo

import (
	"github.com/spf13/cobra"

	"gatehouse/cmd/gatehouse/internal/ui"
)

// Command returns the command `demo`. explain says on the page why a request was refused.
func Command(explain ui.Explain) *cobra.Command {
	o := Options{Explain: explain}
	command := &cobra.Command{
		Use:   "demo",
		Short: "Run the filter between a toy issuer and a toy upstream, with commands to paste",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			o.Out, o.Err = command.OutOrStdout(), command.ErrOrStderr()
			return Run(command.Context(), o)
		},
	}
	flags := command.Flags()
	flags.BoolVar(&o.Envoy, "envoy", false, "run the filter in real Envoy instead of the embedded host")
	flags.StringVar(&o.Dir, "dir", "", "the repository's `directory` (default: the one around the working directory)")
	flags.StringVar(&o.Wasm, "wasm", "", "the filter's module, a `file` (default: dist/gatehouse.wasm in the directory)")
	return command
}
