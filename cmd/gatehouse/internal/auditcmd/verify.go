// Package auditcmd has the commands `gatehouse audit verify` and `gatehouse audit report`.
package auditcmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse/cmd/gatehouse/internal/auditlog"
	"gatehouse/cmd/gatehouse/internal/auditverify"
	"gatehouse/core/audit"
)

const verifyHelp = `Check that chained audit logs (audit.chain) are complete and unchanged.

FILE is an audit log: Envoy's log, an access log of the events, or what the HTTP
sink's receiver stored. "-" is standard input; gzip is read as it is. Rotated
files may come in any order, and several streams in one file. Lines without an
event are skipped.

A key file holds what audit.chain.hmac_key holds. A heads file holds heads of
GET /audit/heads, one answer or several. Without heads nobody can say whether
the last lines of a stream were cut off.

Exit codes: 0 nothing is wrong (unproven tails included), 1 something was
changed, removed, inserted, reordered or cut off, 2 it could not be checked:
a file can't be read, a key is missing, or there is no chained event.`

// Verify makes the command. no is the error that stands for the answer "no".
func Verify(no error) *cobra.Command {
	var keyFiles []string
	var headsFile string
	var asJSON, allowUnchained, anyOrder bool
	c := &cobra.Command{
		Use:   "verify FILE... --key-file ID=FILE [--heads FILE]",
		Short: "check that chained audit logs are complete and unchanged",
		Long:  verifyHelp,
		Args:  cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			keys, err := readKeys(keyFiles)
			if err != nil {
				return err
			}
			heads, err := readHeads(headsFile)
			if err != nil {
				return err
			}
			v := auditverify.New(keys, heads)
			v.AnyOrder = anyOrder
			result, err := verify(c, files, v, allowUnchained)
			if err != nil {
				return err
			}
			if asJSON {
				e := json.NewEncoder(c.OutOrStdout())
				e.SetIndent("", "  ")
				err = e.Encode(result)
			} else {
				_, err = io.WriteString(c.OutOrStdout(), result.Text())
			}
			return errors.Join(err, answer(result, no))
		},
	}
	c.Flags().StringArrayVar(&keyFiles, "key-file", nil, "a chain's key: `ID=FILE`, FILE has base64 (repeat for several keys)")
	c.Flags().StringVar(&headsFile, "heads", "", "a `file` with heads of GET /audit/heads")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&allowUnchained, "allow-unchained", false, "accept events without a chain; nothing proves them")
	c.Flags().BoolVar(&anyOrder, "any-order", false, "accept lines in any order, as an OpenTelemetry collector may store them")
	return c
}

func verify(c *cobra.Command, files []string, v *auditverify.Verifier, allowUnchained bool) (*auditverify.Result, error) {
	defer v.Close()
	progress := auditlog.NewProgress(c.ErrOrStderr())
	defer progress.End()
	if err := once(files); err != nil {
		return nil, err
	}
	for _, name := range files {
		in := v.Input(name)
		if err := auditlog.Read(name, c.InOrStdin(), progress, in.Line); err != nil {
			return nil, err
		}
	}
	return v.Result(allowUnchained)
}

// once refuses a second standard input, which would be empty.
func once(files []string) error {
	first := slices.Index(files, auditlog.Stdin)
	if first >= 0 && slices.Contains(files[first+1:], auditlog.Stdin) {
		return errors.New("standard input (-) can be read once only")
	}
	return nil
}

// answer is the error that decides the exit code.
func answer(r *auditverify.Result, no error) error {
	if r.Broken() {
		return no
	}
	if r.Events == 0 {
		return errors.New("no chained event in what was read")
	}
	for _, s := range r.Streams {
		if s.Status == auditverify.NoKey {
			return fmt.Errorf("no key for key_id %q: give --key-file %s=FILE", s.KeyID, s.KeyID)
		}
	}
	return nil
}

// readKeys reads --key-file ID=FILE.
func readKeys(flags []string) (map[string][]byte, error) {
	keys := map[string][]byte{}
	for _, flag := range flags {
		id, name, ok := strings.Cut(flag, "=")
		if !ok || id == "" || name == "" {
			return nil, fmt.Errorf("--key-file: want ID=FILE, such as 2026-03=audit.key, got %q", flag)
		}
		if _, twice := keys[id]; twice {
			return nil, fmt.Errorf("--key-file: key_id %q is there twice", id)
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("--key-file: %w", err)
		}
		if keys[id], err = audit.ParseKey(string(text)); err != nil {
			return nil, fmt.Errorf("--key-file: %s: %w", name, err)
		}
	}
	return keys, nil
}
