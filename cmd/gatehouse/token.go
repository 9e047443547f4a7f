package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse/cmd/gatehouse/internal/lint"
	"gatehouse/core/clock"
	"gatehouse/core/config"
	"gatehouse/core/jwks"
	"gatehouse/core/jwt"
	"gatehouse/core/reason"
)

// maxInput bounds a token or a claim set on the standard input.
const maxInput = 1 << 20

func tokenCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "token",
		Short: "Look at tokens and verify them, from the standard input",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(inspectCommand(), verifyCommand(), signatureCommand())
	return c
}

// fromInput refuses arguments without repeating them: what was typed there may be a token, and
// errors end up in logs.
func fromInput(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return errors.New("want no arguments: what the command looks at is on the standard input")
	}
	return nil
}

func verifyCommand() *cobra.Command {
	var from configFlags
	var keys string
	var at momentFlag
	c := &cobra.Command{
		Use:   "verify --config FILE [--jwks FILE|URL] [--at UNIX]",
		Short: "Verify a token as the filter would",
		Long: `Verify a token as the filter would, and print {"valid","provider","reason","claims"}.

The token is on the standard input. FILE is what "gatehouse check" takes. Keys come from the provider's jwks, a remote one fetched
from its uri, unless --jwks says otherwise. The exit code is 0 if the token is valid, 1 if not. The claims are those of a token
whose signature holds.`,
		Args: fromInput,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := from.load()
			if err != nil {
				return err
			}
			token, err := readToken(c.InOrStdin())
			if err != nil {
				return err
			}
			now, err := at.moment(c)
			if err != nil {
				return err
			}
			return verify(c.Context(), c.OutOrStdout(), c.ErrOrStderr(), cfg, keys, token, now)
		},
	}
	flags := c.Flags()
	from.register(c)
	flags.StringVar(&keys, "jwks", "", "a JWK Set, `FILE|URL`, to use instead of the provider's")
	at.register(c, "judge the token as of this moment")
	return c
}

// readToken reads a token, which may end in a line break.
func readToken(in io.Reader) (string, error) {
	text, err := readAll(in, maxInput)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", errors.New("token: want one on the standard input")
	}
	return token, nil
}

// verified is what `token verify` prints.
type verified struct {
	Valid    bool            `json:"valid"`
	Provider *string         `json:"provider"`
	Reason   *string         `json:"reason"`
	Claims   json.RawMessage `json:"claims"` // nil is null
}

func verify(ctx context.Context, out, errOut io.Writer, cfg *config.Config, source, token string, now clock.Wall) error {
	rules := make([]jwt.Rules, len(cfg.Tokens.Providers))
	for i, p := range cfg.Tokens.Providers {
		rules[i] = p.Rules
	}
	if len(rules) == 0 {
		return errors.New("the configuration has no providers")
	}
	keys := &providerKeys{ctx: ctx, providers: cfg.Tokens.Providers, source: source}
	r := jwt.New(rules, keys, nil, cfg.Tokens.MaxTokenBytes).Verify(token, now)
	if keys.err != nil {
		return keys.err
	}
	answer := verified{Valid: r.Reason == reason.None, Reason: wordOf(r.Reason)}
	if raw := r.Claims.Raw(); raw != "" {
		answer.Claims = json.RawMessage(raw)
	}
	if r.Provider >= 0 {
		if cfg.Tokens.Providers[r.Provider].ClaimsFrom != nil {
			return fmt.Errorf("provider %s takes claims that Envoy has verified: there is nothing to verify here", rules[r.Provider].Name)
		}
		answer.Provider = &rules[r.Provider].Name
	}
	if r.Reason == reason.UnknownKey {
		explainKeys(errOut, keys.set)
	}
	if err := printJSON(out, answer); err != nil {
		return err
	}
	return yesOrNo(answer.Valid)
}

// providerKeys loads the keys of the one provider that a token asks for.
type providerKeys struct {
	ctx       context.Context
	providers []config.Provider
	source    string // instead of what the providers say; "" for none
	set       *jwks.Set
	err       error
}

// Keys implements jwt.Keys.
func (k *providerKeys) Keys(provider int) *jwks.Set {
	p := &k.providers[provider]
	source := k.source
	switch {
	case k.set != nil || k.err != nil || p.ClaimsFrom != nil:
		return k.set
	case source == "" && p.Inline != nil:
		k.set = p.Inline
		return k.set
	case source == "" && p.Remote.Discovery:
		if source, k.err = discoverKeys(k.ctx, p); k.err != nil {
			return nil
		}
	case source == "":
		source = p.Remote.URI
	}
	k.set, k.err = loadKeys(k.ctx, source)
	return k.set
}

func signatureCommand() *cobra.Command {
	var source string
	var names []string
	c := &cobra.Command{
		Use:   "signature --jwks FILE|URL --algorithms A,B",
		Short: "Verify a token's signature alone",
		Long: `Verify a JWS's signature alone, without a look at its claims, and print {"valid","kid","reason"}: for finding out which
half of a token is wrong.

The JWS is on the standard input. The exit code is 0 if the signature is valid, 1 if not.`,
		Args: fromInput,
		RunE: func(c *cobra.Command, _ []string) error {
			var allowed jwt.AlgSet
			for _, name := range names {
				alg, ok := jwt.ParseAlg(name)
				if !ok {
					return errors.New("--algorithms: " + lint.Want(allowedValues("tokens", "providers", "algorithms"), name))
				}
				allowed = allowed.With(alg)
			}
			if allowed == 0 {
				return errors.New("--algorithms: want at least one")
			}
			token, err := readToken(c.InOrStdin())
			if err != nil {
				return err
			}
			set, err := loadKeys(c.Context(), source)
			if err != nil {
				return err
			}
			kid, r := jwt.VerifySignature(token, set, allowed)
			if r == reason.UnknownKey {
				explainKeys(c.ErrOrStderr(), set)
			}
			answer := struct {
				Valid  bool    `json:"valid"`
				KeyID  *string `json:"kid"`
				Reason *string `json:"reason"`
			}{r == reason.None, orNull(kid), wordOf(r)}
			if err := printJSON(c.OutOrStdout(), answer); err != nil {
				return err
			}
			return yesOrNo(answer.Valid)
		},
	}
	flags := c.Flags()
	flags.StringVar(&source, "jwks", "", "the JWK Set, `FILE|URL`")
	flags.StringSliceVar(&names, "algorithms", nil, "the algorithms that are accepted, such as RS256,ES256")
	_ = c.MarkFlagRequired("jwks")
	_ = c.MarkFlagRequired("algorithms")
	return c
}

// explainKeys says which keys of a set were left out, and why.
func explainKeys(errOut io.Writer, set *jwks.Set) {
	for _, s := range set.Skipped {
		_, _ = fmt.Fprintf(errOut, "gatehouse: keys[%d] %q is not used: %s\n", s.Index, s.ID, s.Why)
	}
}

func wordOf(r reason.Reason) *string {
	if r == reason.None {
		return nil
	}
	return orNull(r.String())
}

func yesOrNo(yes bool) error {
	if yes {
		return nil
	}
	return errNo
}

// orNull is nil, JSON's null, for "".
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// printJSON prints one line of JSON.
func printJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// allowedValues is the closed list of a field of the configuration.
func allowedValues(path ...string) []string {
	shape := config.Fields()
	for _, name := range path {
		for shape.Type == config.List {
			shape = shape.Element
		}
		for _, f := range shape.Fields {
			if f.Name == name {
				shape = f.Shape
				break
			}
		}
	}
	for shape.Type == config.List {
		shape = shape.Element
	}
	return shape.Enum
}
