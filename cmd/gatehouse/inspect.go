package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"gatehouse/cmd/gatehouse/internal/lint"
	"gatehouse/core/caller"
	"gatehouse/core/claims"
)

func inspectCommand() *cobra.Command {
	var profile string
	c := &cobra.Command{
		Use:   "inspect [--profile P]",
		Short: "Say what the filter reads in a claim set: human or machine, and why",
		Long: `Say what the filter reads in a claim set: human or machine, and why.

The claims are one JSON object on the standard input. Nothing is verified.`,
		Args: fromInput,
		RunE: func(c *cobra.Command, _ []string) error {
			p, ok := caller.ParseProfile(profile)
			if !ok {
				return errors.New("--profile: " + lint.Want(allowedValues("tokens", "providers", "profile"), profile))
			}
			text, err := readAll(c.InOrStdin(), maxInput)
			if err != nil {
				return fmt.Errorf("claims: %w", err)
			}
			set, err := claims.Parse(text)
			if err != nil {
				return fmt.Errorf("claims: %w", err)
			}
			return printJSON(c.OutOrStdout(), inspection(caller.Inspect(p, set)))
		},
	}
	c.Flags().StringVar(&profile, "profile", "auto", "how claims are read: auto or cognito")
	return c
}

// inspected is what `token inspect` prints.
type inspected struct {
	IsM2M               bool     `json:"is_m2m"`
	Caller              string   `json:"caller"`
	ClientID            *string  `json:"client_id"`
	TokenUse            *string  `json:"token_use"`
	Scopes              []string `json:"scopes"`
	HasUserContext      bool     `json:"has_user_context"`
	RequiresUserContext bool     `json:"requires_user_context"`
	Subject             *string  `json:"subject"`
	Username            *string  `json:"username"`
	Email               *string  `json:"email"`
	Evidence            *string  `json:"evidence"`
}

func inspection(m caller.Metadata) inspected {
	scopes := m.Scopes
	if scopes == nil {
		scopes = []string{}
	}
	return inspected{
		IsM2M: m.IsM2M, Caller: m.Caller.String(), ClientID: orNull(m.ClientID), TokenUse: orNull(m.TokenUse), Scopes: scopes,
		HasUserContext: m.HasUserContext, RequiresUserContext: m.RequiresUserContext,
		Subject: orNull(m.Subject), Username: orNull(m.Username), Email: orNull(m.Email), Evidence: orNull(m.Evidence),
	}
}
