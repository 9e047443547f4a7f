// Command receiver receives Envoy's OpenTelemetry and gRPC access logs, and writes the audit events
// in them to standard output: "otlp " or "als ", and the lines. It first writes the address at
// which it listens, and ends with its standard input.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"

	accesslog "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	logs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// auditState is the filter state that has the events.
const auditState = "wasm.gatehouse_audit"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "receiver:", err)
		os.Exit(1)
	}
}

func run() error {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	out := &printer{to: bufio.NewWriter(os.Stdout)}
	out.print(listener.Addr().String(), "")
	server := grpc.NewServer()
	logs.RegisterLogsServiceServer(server, &otlp{out: out})
	accesslog.RegisterAccessLogServiceServer(server, &als{out: out})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		server.Stop()
	}()
	return server.Serve(listener)
}

// printer writes lines, whole ones whoever calls.
type printer struct {
	mu sync.Mutex
	to *bufio.Writer
}

func (p *printer) print(what, lines string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for line := range strings.SplitSeq(lines, "\n") {
		_, _ = fmt.Fprintln(p.to, strings.TrimSpace(what+" "+line))
	}
	_ = p.to.Flush()
}

// otlp is OpenTelemetry's log service. The event is the record's body.
type otlp struct {
	logs.UnimplementedLogsServiceServer
	out *printer
}

// Export implements the service.
func (s *otlp) Export(_ context.Context, request *logs.ExportLogsServiceRequest) (*logs.ExportLogsServiceResponse, error) {
	for _, resource := range request.GetResourceLogs() {
		for _, scope := range resource.GetScopeLogs() {
			for _, record := range scope.GetLogRecords() {
				s.out.print("otlp", record.GetBody().GetStringValue())
			}
		}
	}
	return &logs.ExportLogsServiceResponse{}, nil
}

// als is Envoy's access log service. The event is a filter state object.
type als struct {
	accesslog.UnimplementedAccessLogServiceServer
	out *printer
}

// StreamAccessLogs implements the service.
func (s *als) StreamAccessLogs(stream grpc.ClientStreamingServer[accesslog.StreamAccessLogsMessage, accesslog.StreamAccessLogsResponse]) error {
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&accesslog.StreamAccessLogsResponse{})
		}
		if err != nil {
			return err
		}
		for _, entry := range message.GetHttpLogs().GetLogEntry() {
			state, ok := entry.GetCommonProperties().GetFilterStateObjects()[auditState]
			if !ok {
				continue
			}
			var value wrapperspb.BytesValue
			if err := state.UnmarshalTo(&value); err != nil {
				s.out.print("als", "not a BytesValue: "+state.GetTypeUrl())
				continue
			}
			s.out.print("als", string(value.GetValue()))
		}
	}
}
