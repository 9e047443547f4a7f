package scenario

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
)

// refusal is a row of the table of refusals (docs/reference.md). From it follows what scenario
// files need not repeat each time.
type refusal struct {
	status int
	detail string
	// challenge is WWW-Authenticate, in the form of [Expect.Headers]; "" for none.
	challenge string
}

const (
	realm        = `Bearer realm="gatehouse"`
	badToken     = realm + `, error="invalid_token"`
	missingScope = `~` + realm + `, error="insufficient_scope", scope="[^"]+"`
)

var (
	invalidToken = refusal{http.StatusUnauthorized, "Invalid token", badToken}
	notAllowed   = refusal{http.StatusForbidden, "Operation not allowed", ""}
	unavailable  = refusal{http.StatusServiceUnavailable, "Service unavailable", ""}

	refusals = map[string]refusal{
		"missing_token":         {http.StatusUnauthorized, "Authentication required", realm},
		"malformed_token":       invalidToken,
		"token_too_large":       invalidToken,
		"unsupported_algorithm": invalidToken,
		"unknown_key":           invalidToken,
		"invalid_signature":     invalidToken,
		"token_type":            invalidToken,
		"expired_token":         invalidToken,
		"not_yet_valid":         invalidToken,
		"invalid_issuer":        invalidToken,
		"invalid_audience":      invalidToken,
		"missing_claim":         invalidToken,
		"invalid_claim":         invalidToken,
		"human_required":        {http.StatusForbidden, "This endpoint requires human user authentication", ""},
		"machine_required":      {http.StatusForbidden, "This endpoint is for service accounts only", ""},
		"insufficient_scope":    {http.StatusForbidden, notAllowed.detail, missingScope},
		"group_required":        notAllowed,
		"claim_required":        notAllowed,
		"no_route":              notAllowed,
		"rate_limited":          {http.StatusTooManyRequests, "Rate limit exceeded", ""},
		"unsafe_path":           {http.StatusBadRequest, "Bad request path", ""},
		"unsafe_method":         {http.StatusBadRequest, "Bad request", ""},
		"unsafe_host":           {http.StatusBadRequest, "Bad request", ""},
		"jwks_unavailable":      unavailable,
		"contention":            unavailable,
		"internal":              unavailable,
	}

	// grpcStatus has the gRPC statuses of the refusals' HTTP statuses.
	grpcStatus = map[int]int{
		http.StatusUnauthorized: 16, http.StatusForbidden: 7, http.StatusTooManyRequests: 8,
		http.StatusBadRequest: 3, http.StatusServiceUnavailable: 14,
	}
)

const eventIDHeader = "x-gatehouse-event-id"

var eventID = regexp.MustCompile(`"event_id":"([0-9a-f]{32})"`)

// eventIDOf is the id of the exchange's event, "" if it has none.
func eventIDOf(e *Exchange) string {
	if len(e.Audit) == 0 {
		return ""
	}
	if m := eventID.FindStringSubmatch(e.Audit[0]); m != nil {
		return m[1]
	}
	return ""
}

// GRPCStatus is the gRPC status of an exchange: the response's own, or what its HTTP status amounts
// to (https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md).
func GRPCStatus(e *Exchange) int {
	for _, v := range e.Header["grpc-status"] {
		if status, err := strconv.Atoi(v); err == nil {
			return status
		}
	}
	switch e.Status {
	case http.StatusBadRequest:
		return 13
	case http.StatusUnauthorized:
		return 16
	case http.StatusForbidden:
		return 7
	case http.StatusNotFound:
		return 12
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return 14
	}
	return 2
}

// checkRefusal compares a refusal with the table, except for headers that the file mentions.
func checkRefusal(want *Expect, e *Exchange) (problems []string) {
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if e.Upstream != nil {
		bad("refused, but it reached the upstream")
	}
	row, ok := refusals[want.Reason]
	if !ok || want.Detail != row.detail {
		bad("the contract has no refusal %s: %s", want.Reason, want.Detail)
	}
	status, body := row.status, `{"detail": "`+row.detail+`"}`
	value := func(s string) *string { return &s }
	headers := map[string]*string{
		"content-type": value("application/json"), "cache-control": value("no-store"),
		"grpc-status": nil, "www-authenticate": nil, "retry-after": nil,
	}
	if id := eventIDOf(e); id != "" {
		headers[eventIDHeader] = value(id)
	} else {
		headers[eventIDHeader] = nil
	}
	if e.Header["grpc-status"] != nil {
		status, body = http.StatusOK, ""
		headers["content-type"] = value("application/grpc")
		headers["grpc-status"] = value(strconv.Itoa(grpcStatus[row.status]))
		headers["grpc-message"] = value(row.detail)
	}
	if row.challenge != "" {
		headers["www-authenticate"] = value(row.challenge)
	}
	if row.status == http.StatusTooManyRequests {
		headers["x-envoy-ratelimited"] = value("true")
	}
	if row.status == http.StatusTooManyRequests || row.status == http.StatusServiceUnavailable {
		headers["retry-after"] = value(`~[1-9]\d*`)
	}
	if want.Status != status {
		bad("status: the file wants %d, the contract %d", want.Status, status)
	}
	if e.Body != body {
		bad("body: want %s, got %s", body, e.Body)
	}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		if _, said := want.Headers[name]; said {
			continue
		}
		if err := matches(name, headers[name], e.Header[name], e); err != "" {
			bad("header %s: %s", name, err)
		}
	}
	return problems
}
