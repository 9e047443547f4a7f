package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"gatehouse/deploy/release/internal/licence"
	"gatehouse/deploy/release/internal/linked"
	"gatehouse/deploy/release/internal/sbom"
	"gatehouse/deploy/release/internal/vulnerability"
)

// check looks at the modules that the programs link: their licences, their bills of materials, and
// what is known to be vulnerable in them.
func check(ctx context.Context, out io.Writer, args []string) error {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	database := flags.String("db", vulnerability.Database, "the vulnerability database, a `URL`")
	required := flags.Bool("require-vulnerabilities", false, "fail if the vulnerability database can't be read")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var problems []error
	for _, p := range linked.Programs {
		modules, err := linked.Modules(ctx, root, p)
		if err != nil {
			return err
		}
		problems = append(problems, checkModules(ctx, out, p, modules), checkVulnerabilities(ctx, out, p, *database, *required))
	}
	return errors.Join(problems...)
}

// checkModules checks the licences and the bill of materials of a program.
func checkModules(ctx context.Context, out io.Writer, p linked.Program, modules []linked.Module) error {
	var ids []string
	var problems []error
	for _, m := range modules {
		l, err := licence.Of(m)
		problems = append(problems, err)
		ids = append(ids, l.IDs...)
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	slices.Sort(ids)
	_, _ = fmt.Fprintf(out, "%s: licences of %d modules: %s\n", p.Name, len(modules), strings.Join(slices.Compact(ids), ", "))
	bill, err := sbom.Write(sbom.Subject{Program: p, Modules: modules, Time: time.Unix(0, 0)})
	if err != nil {
		return err
	}
	if err := sbom.Validate(ctx, bill); err != nil {
		return fmt.Errorf("%s: the bill of materials isn't CycloneDX: %w", p.Name, err)
	}
	_, _ = fmt.Fprintf(out, "%s: the bill of materials fits the schema of CycloneDX\n", p.Name)
	return nil
}

// checkVulnerabilities runs govulncheck. A database that can't be read is said, and an error only
// if required.
func checkVulnerabilities(ctx context.Context, out io.Writer, p linked.Program, database string, required bool) error {
	report, changed, err := vulnerability.Check(ctx, root, database, p)
	switch {
	case errors.Is(err, vulnerability.ErrNotChecked) && !required:
		_, _ = fmt.Fprintf(out, "%s: vulnerabilities: %v\n", p.Name, err)
		return nil
	case err != nil:
		return fmt.Errorf("%s: vulnerabilities: %w\n%s", p.Name, err, report)
	}
	_, _ = fmt.Fprintf(out, "%s: vulnerabilities: none known that it calls (database of %s)\n", p.Name, changed.Format(time.DateOnly))
	return nil
}
