package main

import (
	"bytes"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"gatehouse/cmd/gatehouse/internal/explain"
	"gatehouse/core/config"
	"gatehouse/core/reason"
)

// explainEvent explains the audit event on the standard input, as far as it tells.
func explainEvent(c *cobra.Command, cfg *config.Config, configured *explain.Configured) error {
	text, err := readAll(c.InOrStdin(), maxInput)
	if err != nil {
		return fmt.Errorf("event: %w", err)
	}
	event, err := explain.ReadEvent(text)
	if err != nil {
		return err
	}
	return printEscaped(c.OutOrStdout(), eventExplanation(cfg, configured, event))
}

func eventExplanation(cfg *config.Config, configured *explain.Configured, event *explain.Event) explanation {
	m := &event.Metadata
	e := explanation{Decision: "admitted", Reason: m.Reason, WouldBe: m.WouldBe, Limits: []explainedLimit{}, Notes: []string{}}
	if m.Reason != nil {
		e.Decision, e.Status = "refused", event.Status
	}
	e.Why = eventWhy(event)
	index, note := configured.RouteOf(event)
	if note != "" {
		e.Notes = append(e.Notes, note)
	}
	if index >= 0 {
		e.Route = describeRoute(cfg, index)
	}
	e.Notes = append(e.Notes, configured.EventNotes(event, index)...)
	if m.Caller != nil {
		e.Caller = &explainedCaller{Kind: *m.Caller, Evidence: m.Evidence, Provider: configured.ProviderOf(m.Issuer),
			UserID: event.UserID, ClientID: event.ClientID, Scopes: []string{}, Groups: []string{}}
	}
	if m.Rule != nil {
		e.Limits = append(e.Limits, explainedLimit{Name: *m.Rule, Windows: []explainedWindow{}})
	}
	e.Compared = append([]explain.Comparison{}, configured.Event(event, index)...)
	if index < 0 && event.Path != nil && event.Method != nil && m.Reason != nil && *m.Reason == reason.NoRoute.String() {
		e.Nearest = configured.Nearest(*event.Method, "", *event.Path, -1)
	}
	return e
}

// eventWhy is the decision in words. An event of another filter's refusal names that filter.
func eventWhy(event *explain.Event) string {
	m := &event.Metadata
	because := m.Reason
	if because == nil {
		because = m.WouldBe
	}
	text := ""
	switch {
	case because != nil:
		text = whyWord(*because)
	case m.Origin != nil:
		text = "Envoy's filter " + *m.Origin + " refused it"
	default:
		text = whys[reason.None]
	}
	if m.Reason == nil && m.WouldBe != nil {
		text = "admitted in observe mode; otherwise: " + text
	}
	if m.Rule != nil {
		text += " (" + *m.Rule + ")"
	}
	return text
}

// whyWord is a reason in words; it may be one that this program doesn't know.
func whyWord(word string) string {
	for r := reason.None + 1; r < reason.Count; r++ {
		if r.String() == word {
			return whyText(r)
		}
	}
	return "a reason that this version doesn't know: " + word
}

// printEscaped prints one line of JSON without characters that a terminal acts on.
func printEscaped(out io.Writer, v any) error {
	var line bytes.Buffer
	if err := printJSON(&line, v); err != nil {
		return err
	}
	_, err := out.Write(explain.Escape(line.Bytes()))
	return err
}
