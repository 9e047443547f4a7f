package demo

import (
	"errors"
	"os"
	"path/filepath"
)

// auditFile takes the audit events: to a file, for a command, or to the user.
type auditFile struct {
	path string
	file *os.File
	out  *lines
}

func newAuditFile(o EnvoyOptions) (*auditFile, error) {
	if len(o.Command) == 0 {
		return &auditFile{out: &lines{w: o.Out}}, nil
	}
	dir, err := os.MkdirTemp("", "gatehouse-demo-")
	if err != nil {
		return nil, err
	}
	a := &auditFile{path: filepath.Join(dir, "audit.log")}
	if a.file, err = os.Create(a.path); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return a, nil
}

func (a *auditFile) add(line string) {
	switch {
	case line == "": // that of a request without an event
	case a.file != nil:
		_, _ = a.file.WriteString(line + "\n")
	default:
		a.out.print(line)
	}
}

func (a *auditFile) follow(text string) { a.out.print(text) }

func (a *auditFile) remove() {
	if a.file != nil {
		_ = a.file.Close()
		_ = os.RemoveAll(filepath.Dir(a.path))
	}
}
