package scenario

import (
	"net/http"
	"slices"
	"strings"
)

// What the upstream of every runner answers, beside what a step's [Answer] says.
const (
	AnswerBody = "upstream"
	AnswerType = "text/plain"
)

// What Envoy answers where the upstream closes the connection instead
// (source/common/router/router.cc).
const (
	ResetDetails = "upstream_reset_before_response_started{connection_termination}"
	ResetBody    = "upstream connect error or disconnect/reset before headers. reset reason: connection termination"
)

// LeftDetails are the response code details of a stream whose client went away.
const LeftDetails = "downstream_remote_disconnect"

// Field is a header field.
type Field struct{ Name, Value string }

// Fields splits lines of the form "name: value".
func Fields(lines []string) []Field {
	out := make([]Field, len(lines))
	for i, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		out[i] = Field{name, strings.TrimPrefix(value, " ")}
	}
	return out
}

// Fields are the request's headers as the client sends them, tokens put in.
func (r *Request) Fields(m *Minted) []Field {
	lines := make([]string, 0, len(r.Headers)+1)
	for _, line := range r.Headers {
		lines = append(lines, m.Expand(line))
	}
	if r.Token != "" {
		lines = append(lines, "authorization: Bearer "+m.Tokens[r.Token])
	}
	return Fields(lines)
}

// Delivered are the request's headers as a proxy delivers them to a filter: names in lower case,
// without the client's hop-by-hop field. It is what core and hostsim get; Envoy does it itself.
func (r *Request) Delivered(m *Minted) []Field {
	fields := r.Fields(m)
	for i := range fields {
		fields[i].Name = strings.ToLower(fields[i].Name)
	}
	return slices.DeleteFunc(fields, func(f Field) bool { return f.Name == "connection" })
}

// Target is the request target as sent, tokens put in.
func (r *Request) Target(m *Minted) string { return m.Expand(r.Path) }

// Verb is the method, GET by default.
func (r *Request) Verb() string { return r.method() }

// Authority is the host, orders.example by default.
func (r *Request) Authority() string {
	if r.Host == "" {
		return "orders.example"
	}
	return r.Host
}

// IP is the client's address, 127.0.0.1 by default.
func (r *Request) IP() string {
	if r.Source == "" {
		return "127.0.0.1"
	}
	return r.Source
}

// IsGRPC reports whether the request is gRPC.
func (r *Request) IsGRPC() bool {
	return slices.ContainsFunc(Fields(r.Headers), func(f Field) bool {
		return strings.EqualFold(f.Name, "content-type") &&
			(f.Value == "application/grpc" || strings.HasPrefix(f.Value, "application/grpc+"))
	})
}

// Code is the answer's status, 200 by default.
func (a *Answer) Code() int {
	if a.Status == 0 {
		return http.StatusOK
	}
	return a.Status
}

// Fields are the answer's headers.
func (a *Answer) Fields() []Field {
	return append(Fields(a.Headers), Field{"content-type", AnswerType})
}
