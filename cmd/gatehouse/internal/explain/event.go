package explain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Event is an audit event, as far as it explains a decision.
type Event struct {
	Type     string  `json:"event_type"`
	UserID   *string `json:"user_id"`
	ClientID *string `json:"client_id"`
	Path     *string `json:"path"`
	Method   *string `json:"method"`
	Status   *int    `json:"status_code"`
	Metadata Metadata
}

// Metadata is the part of an event's metadata that every event has.
type Metadata struct {
	Reason   *string             `json:"reason"`
	WouldBe  *string             `json:"would_be"`
	Route    *string             `json:"route"`
	Rule     *string             `json:"rule"`
	Caller   *string             `json:"caller"`
	Issuer   *string             `json:"issuer"`
	Evidence *string             `json:"m2m_evidence"`
	Origin   *string             `json:"origin"`
	Required map[string]Required `json:"required"`
}

// Required is a requirement that failed, as an event records it: a list, or lists by claim.
type Required []string

// UnmarshalJSON implements json.Unmarshaler.
func (r *Required) UnmarshalJSON(text []byte) error {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	if object, ok := v.(map[string]any); ok {
		for _, name := range slices.Sorted(maps.Keys(object)) {
			*r = append(*r, name+": "+strings.Join(texts(object[name]), ", "))
		}
		return nil
	}
	*r = texts(v)
	return nil
}

// ReadEvent reads an audit event: one JSON object, alone or at the end of a line of a log.
func ReadEvent(text []byte) (*Event, error) {
	text = bytes.TrimSpace(text)
	start := bytes.IndexByte(text, '{')
	if start < 0 {
		return nil, errors.New("event: want an audit event, a JSON object, on the standard input")
	}
	e := &Event{}
	d := json.NewDecoder(bytes.NewReader(text[start:]))
	if err := d.Decode(e); err != nil {
		return nil, errors.New("event: not an audit event: " + describe(err))
	}
	if d.More() {
		return nil, errors.New("event: want one audit event, got more")
	}
	switch {
	case e.Type == "audit_gap":
		return nil, errors.New("event: an audit_gap says that events were lost, it is about no request")
	case e.Type == "" || e.Path == nil && e.Method == nil:
		return nil, errors.New("event: not an audit event: it has no event_type, or neither path nor method")
	}
	return e, nil
}

// describe is a decoder's error without its types.
func describe(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return "the member " + wrong.Field + " is a " + wrong.Value
	}
	return "malformed JSON"
}

// RouteOf finds the route that an event names; -1 and a note if the configuration has none.
func (c *Configured) RouteOf(e *Event) (index int, note string) {
	if e.Metadata.Route == nil {
		return -1, ""
	}
	name := *e.Metadata.Route
	index = slices.IndexFunc(c.Routes, func(r Route) bool { return r.Name == name })
	if index >= 0 {
		return index, ""
	}
	if name == "resource_metadata" {
		return -1, "Gatehouse itself answered: the metadata of tokens.resources"
	}
	return -1, "the configuration has no route " + quote(name) + ": the event is of another configuration"
}

// EventNotes are what else differs between an event and the configuration.
func (c *Configured) EventNotes(e *Event, route int) (notes []string) {
	if e.Metadata.Rule != nil && !slices.ContainsFunc(c.Limits, func(l struct{ Name string }) bool { return l.Name == *e.Metadata.Rule }) {
		notes = append(notes, "the configuration has no rate limit "+quote(*e.Metadata.Rule)+": the event is of another configuration")
	}
	if route < 0 || e.Path == nil || e.Method == nil || *e.Method == "OPTIONS" {
		return notes
	}
	if _, lacked := c.closeness(&c.Routes[route], *e.Method, "", *e.Path); len(lacked) > 0 {
		notes = append(notes, "the route doesn't match the event's method and path now: "+strings.Join(lacked, "; "))
	}
	return notes
}

// Event compares an event with the configuration.
func (c *Configured) Event(e *Event, route int) (out []Comparison) {
	if e.Metadata.Issuer != nil || e.Metadata.Reason != nil && *e.Metadata.Reason == "invalid_issuer" {
		seen := optional(e.Metadata.Issuer)
		out = append(out, Comparison{"issuer", seen, c.issuers(), len(seen) > 0 && c.provider(seen[0]) != nil})
	}
	if route >= 0 && e.Metadata.Caller != nil {
		if want := c.Routes[route].Caller; want != "" && want != "any" {
			out = append(out, Comparison{"caller", optional(e.Metadata.Caller), []string{want}, *e.Metadata.Caller == want})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Metadata.Required)) {
		out = append(out, Comparison{name, nil, e.Metadata.Required[name], false})
	}
	return out
}

func optional(s *string) []string {
	if s == nil {
		return nil
	}
	return []string{*s}
}

// Escape writes the characters of a JSON text that a terminal may act on as escapes: controls, and
// those that change the direction of writing.
func Escape(text []byte) []byte {
	var out []byte
	for _, r := range string(text) {
		if r == '\n' || r < 0x7f || !acts(r) {
			out = append(out, string(r)...)
			continue
		}
		out = append(out, fmt.Sprintf(`\u%04x`, r)...)
	}
	return out
}

func acts(r rune) bool {
	return r >= 0x7f && r <= 0x9f || r == 0xad || r == 0x61c || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e ||
		r >= 0x2060 && r <= 0x206f || r == 0xfeff || r >= 0xfff9 && r <= 0xfffb
}
