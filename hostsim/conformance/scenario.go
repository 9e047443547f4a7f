// Package conformance compares Proxy-Wasm hosts by what one probe filter sees in
// them: the scenarios below are played to a host through real connections, and
// everything that the probe logs, the client gets and the upstream gets is
// written down. What Envoy wrote is kept in testdata; hostsim must write the
// same, but for what Differences lists.
package conformance

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Scenario is one request to the probe, by which the probe knows what to do.
type Scenario struct {
	// Name is the path of the request.
	Name string
	// Method is POST with a Body and GET without, if empty.
	Method string
	// Headers are sent in the order of their names, after those that each
	// request has.
	Headers []string
	// Body is sent in one piece; Chunked sends it in two, with Trailers.
	Body     string
	Chunked  bool
	Trailers []string
	// Hangs says that the host never answers: the client goes away.
	Hangs bool
	// Fatal says that the probe's VM fails or has failed, so that no callback
	// tells the end.
	Fatal bool
}

// Scenarios are all of them. Fatal ones come last.
func Scenarios() []Scenario {
	form := "content-type: application/x-www-form-urlencoded"
	grpc := "content-type: application/grpc"
	return []Scenario{
		{Name: "plain"},
		{Name: "headers", Headers: []string{"accept: */*", "authorization: Bearer a", "authorization: Bearer b", form, "cookie: a=1", "cookie: b=2", "x-a: 1", "x-a: 2", "x-empty:"}, Body: "hello"},
		{Name: "inline", Body: "hello"},
		{Name: "setpairs"},
		{Name: "body", Headers: []string{form}, Body: "hello", Chunked: true},
		{Name: "trailers", Body: "hello", Chunked: true},
		{Name: "trailers-sent", Body: "hello", Chunked: true, Trailers: []string{"x-sent: yes"}},
		{Name: "nobuffer", Body: "hello", Chunked: true},
		{Name: "props", Headers: []string{"referer: r", "x-a: 1", "x-a: 2"}, Body: "hello"},
		{Name: "reply", Body: "hello"},
		{Name: "reply", Method: "HEAD"},
		{Name: "reply-twice"},
		{Name: "reply-in-response"},
		{Name: "reply-in-reply"},
		{Name: "reply-in-body"},
		{Name: "reply-in-request-body", Body: "hello"},
		{Name: "reply-empty"},
		{Name: "reply-spaces"},
		{Name: "reply-from-tick"},
		{Name: "reply-grpc", Headers: []string{grpc}, Body: "x"},
		{Name: "reply-grpc-status", Headers: []string{grpc}, Body: "x"},
		{Name: "shared"},
		{Name: "queue"},
		{Name: "metrics"},
		{Name: "labels"},
		{Name: "misc"},
		{Name: "memory"},
		{Name: "tick", Body: "hello"},
		{Name: "foreign"},
		{Name: "close"},
		{Name: "close-response"},
		{Name: "continue-in-callback"},
		{Name: "upgrade", Headers: []string{"connection: Upgrade", "upgrade: websocket"}},
		{Name: "call"},
		{Name: "call-unknown"},
		{Name: "call-headers"},
		{Name: "call-dead"},
		{Name: "call-nohosts"},
		{Name: "call-timeout"},
		{Name: "call-trailers"},
		{Name: "grpc"},
		{Name: "grpc-unknown"},
		{Name: "grpc-unknown-message"},
		{Name: "grpc-dead"},
		{Name: "grpc-nohosts"},
		{Name: "grpc-error"},
		{Name: "grpc-timeout"},
		{Name: "grpc-stream"},
		{Name: "grpc-ids"},
		{Name: "upstream-slow", Hangs: true},
		{Name: "upstream-close"},
		{Name: "trap", Fatal: true},
		{Name: "plain", Fatal: true},
	}
}

// Metadata is the dynamic metadata that a host must give each request, in the
// namespace "probe".
func Metadata() map[string]any {
	return map[string]any{
		"string": "text", "number": 17.0, "bool": true, "null": nil,
		"list": []any{"a", "b"}, "mixed": []any{"a", 1.0, true},
		"nested": map[string]any{"in.ner/x": "deep"}, "deeper": map[string]any{"roles": []any{"a"}},
		"emptylist": []any{}, "emptyobject": map[string]any{},
	}
}

// settings of the probe's plugin that hosts must share.
const (
	PluginName   = "probe"
	RootID       = "probe-root"
	VMID         = "probe-vm"
	PluginConfig = "plugin config"
	VMConfig     = "vm config"
	EnvName      = "PROBE"
	EnvValue     = "set"
	RouteName    = "the_route"
	ClusterName  = "upstream"
	VirtualHost  = "vh"
)

// wait bounds how long a scenario may take. It is generous because CI machines
// are slow.
const wait = time.Minute

// Run plays a scenario to the host at addr and returns what the client and the
// upstream saw. The host's log is followed by logs until the stream's end.
func Run(ctx context.Context, sc Scenario, addr string, up *Upstream, logs *Lines) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	logs.Take()
	up.Seen.Take()
	client, err := exchange(ctx, sc, addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", sc.Name, err)
	}
	if last := sc.lastLine(); last != "" {
		if err := logs.WaitFor(ctx, last, 1); err != nil {
			return nil, fmt.Errorf("%s: no line %q: %w", sc.Name, last, err)
		}
	}
	lines := append(logs.Take(), up.Seen.Take()...)
	return append(lines, client...), nil
}

// lastLine is what the host's log ends with; "" if it has nothing to say.
func (sc Scenario) lastLine() string {
	switch {
	case !sc.Fatal:
		return sc.Name + " delete"
	case sc.Name == "trap":
		return "VM failed in proxy_on_request_headers"
	}
	return ""
}

// exchange sends the request as it is and describes the response.
func exchange(ctx context.Context, sc Scenario, addr string) ([]string, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	deadline := time.Now().Add(wait)
	if sc.Hangs {
		deadline = time.Now().Add(300 * time.Millisecond)
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	method := sc.Method
	if method == "" {
		method = http.MethodGet
		if sc.Body != "" {
			method = http.MethodPost
		}
	}
	if err := send(conn, method, sc); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return []string{"client: no response"}, nil
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	lines := []string{
		fmt.Sprintf("client: %d %s", resp.StatusCode, describe(resp.Header)),
		fmt.Sprintf("client: body %q", body),
	}
	if err != nil {
		lines = append(lines, "client: cut off")
	}
	if len(resp.Trailer) > 0 {
		lines = append(lines, "client: trailers "+describe(resp.Trailer))
	}
	return lines, nil
}

func send(w io.Writer, method string, sc Scenario) error {
	headers := append([]string{"user-agent: probe-client"}, sc.Headers...)
	if sc.Chunked {
		headers = append(headers, "transfer-encoding: chunked")
	} else if sc.Body != "" {
		headers = append(headers, fmt.Sprintf("content-length: %d", len(sc.Body)))
	}
	slices.SortStableFunc(headers, func(a, b string) int {
		return strings.Compare(a[:strings.Index(a, ":")], b[:strings.Index(b, ":")])
	})
	head := fmt.Sprintf("%s /%s HTTP/1.1\r\nhost: probe.test\r\n%s\r\n\r\n", method, sc.Name, strings.Join(headers, "\r\n"))
	if _, err := io.WriteString(w, head); err != nil {
		return err
	}
	if !sc.Chunked {
		_, err := io.WriteString(w, sc.Body)
		return err
	}
	half := len(sc.Body) / 2
	chunks := fmt.Sprintf("%x\r\n%s\r\n%x\r\n%s\r\n0\r\n", half, sc.Body[:half], len(sc.Body)-half, sc.Body[half:])
	for _, t := range sc.Trailers {
		chunks += t + "\r\n"
	}
	_, err := io.WriteString(w, chunks+"\r\n")
	return err
}

// masked are fields whose values differ from run to run; they are not compared.
var masked = map[string]bool{"Date": true, "Server": true, "X-Request-Id": true, "Connection": true, "Trailer": true}

// describe writes a header map in one line, in the order of names.
func describe(h http.Header) string {
	var words []string
	for name, values := range h {
		if masked[name] {
			continue
		}
		for _, v := range values {
			words = append(words, fmt.Sprintf("%s=%q", strings.ToLower(name), v))
		}
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}
