package main

import (
	"github.com/spf13/cobra"

	"gatehouse/cmd/gatehouse/internal/auditcmd"
)

func auditCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "audit logs",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(auditcmd.Verify(errNo), auditcmd.Report())
	return c
}
