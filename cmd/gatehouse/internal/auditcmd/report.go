package auditcmd

import (
	"encoding/json"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"gatehouse/cmd/gatehouse/internal/auditlog"
	"gatehouse/cmd/gatehouse/internal/auditreport"
)

const reportHelp = `Say who was refused, or in observe mode would have been: by reason, route, kind
of caller and issuer, by caller, and over time.

FILE is an audit log: Envoy's log, an access log of the events, or what the HTTP
sink's receiver stored. "-" is standard input; gzip is read as it is. Lines
without an event are skipped. Chains aren't verified: see gatehouse audit verify.`

// Report makes the command.
func Report() *cobra.Command {
	var asJSON bool
	var top int
	c := &cobra.Command{
		Use:   "report FILE...",
		Short: "say who was refused, or in observe mode would have been",
		Long:  reportHelp,
		Args:  cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			if top < 1 {
				return errors.New("--top: want 1 or more")
			}
			report, err := report(c, files, top)
			if err != nil {
				return err
			}
			if !asJSON {
				_, err = io.WriteString(c.OutOrStdout(), report.Text(top))
				return err
			}
			e := json.NewEncoder(c.OutOrStdout())
			e.SetIndent("", "  ")
			return e.Encode(report)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().IntVar(&top, "top", 20, "how many callers and rows are shown")
	return c
}

func report(c *cobra.Command, files []string, top int) (*auditreport.Report, error) {
	if err := once(files); err != nil {
		return nil, err
	}
	progress := auditlog.NewProgress(c.ErrOrStderr())
	defer progress.End()
	b := auditreport.NewBuilder()
	for _, name := range files {
		if err := auditlog.Read(name, c.InOrStdin(), progress, b.Line); err != nil {
			return nil, err
		}
	}
	return b.Report(top), nil
}
