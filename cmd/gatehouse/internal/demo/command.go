package demo

import (
	"errors"
	"os"
	"path/filepath"

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
	command.AddCommand(runEnvoyCommand())
	return command
}

func runEnvoyCommand() *cobra.Command {
	var o EnvoyOptions
	command := &cobra.Command{
		Use:   "run FILE [-- COMMAND…]",
		Short: "Run an Envoy configuration between toy issuers and toy upstreams, and a command in it",
		Long: `Run an Envoy configuration between toys, and end everything when COMMAND ends.

FILE is an envoy.yaml whose listeners and clusters are on this machine. Each cluster whose name begins with idp is served by a toy
issuer, any other by a toy upstream, which answers with the request that it got. POST /sign on an issuer signs the claims in the
body, a JSON object, and answers the token; iss, aud, iat and exp are filled in.

With COMMAND everything is at free ports, and the configuration says so wherever it names one. COMMAND finds the URL of each listener
and cluster in its environment, under the name in upper case (gate as GATE, idp-acme as IDP_ACME), Envoy's admin interface as
ENVOY_ADMIN, a file with the audit events as AUDIT_LOG, this program as GATEHOUSE. Without COMMAND the ports are those of FILE.`,
		RunE: func(command *cobra.Command, args []string) error {
			files := args
			if dash := command.ArgsLenAtDash(); dash >= 0 {
				files, o.Command = args[:dash], args[dash:]
			}
			if len(files) != 1 {
				return errors.New("want one FILE, and a command only after --")
			}
			o.File = files[0]
			if o.Wasm == "" {
				program, err := os.Executable()
				if err != nil {
					return err
				}
				o.Wasm = filepath.Join(filepath.Dir(program), "gatehouse.wasm")
			}
			o.Out, o.Err = command.OutOrStdout(), command.ErrOrStderr()
			return RunEnvoy(command.Context(), o)
		},
	}
	flags := command.Flags()
	flags.StringArrayVar(&o.Without, "without", nil, "a `cluster` that COMMAND serves itself, at the address in its variable; may be given again")
	flags.StringVar(&o.Wasm, "wasm", "", "the filter's module, a `file` (default: gatehouse.wasm beside this program)")
	return command
}
