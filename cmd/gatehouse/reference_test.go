package main

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"gatehouse/core/audit"
	"gatehouse/core/metrics"
	"gatehouse/core/reason"
)

// docs/reference.md names everything that the filter sends, with its status, body and labels.
func TestTheReferenceIsComplete(t *testing.T) {
	page := read(t, filepath.Join(root, "docs", "reference.md"))
	// row returns the first table row that begins with a text and contains a word.
	row := func(begins, word string) string {
		for line := range strings.Lines(page) {
			if strings.HasPrefix(line, "| "+begins+" |") && strings.Contains(line, "`"+word+"`") {
				return line
			}
		}
		return ""
	}
	for r := reason.MissingToken; r < reason.Count; r++ {
		answer := strconv.Itoa(r.Status()) + " | " + strconv.Itoa(r.GRPCStatus()) + " | `" + r.Body() + "`"
		assert.NotEmpty(t, row(answer, r.String()), r.String())
	}
	for e := audit.TypeRequestError; e < audit.TypeAdminAction; e++ {
		assert.NotEmpty(t, row("`"+e.String()+"`", e.String()), e.String())
	}
	table := metrics.NewTable(metrics.Envoy, metrics.Labels{Routes: []string{"r"}, PerRoute: true, Rules: []string{"l"}, Providers: []string{"p"}})
	for i := range table.Len() {
		def := table.Def(i)
		if def.Name == "gatehouse_audit_queue_events" {
			continue // nothing queues events
		}
		line := row("`"+def.Name+"`", def.Name)
		assert.NotEmpty(t, line, def.Name)
		for _, label := range def.Labels {
			assert.Contains(t, line, "`"+label.Name+"`", def.Name)
			switch label.Name {
			case "route", "rule", "provider", "reason", "event_type", "version":
			case "decision":
				if def.Name == "gatehouse_requests_total" {
					break
				}
				fallthrough
			default:
				assert.Contains(t, line, "`"+label.Value+"`", def.Name)
			}
		}
	}
}
