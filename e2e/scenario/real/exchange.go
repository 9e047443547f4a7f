package real

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"gatehouse/e2e/scenario"
)

// exchangeTimeout bounds one request, a wait for keys included.
const exchangeTimeout = time.Minute

// exchange sends a step's request over a connection of its own: byte for byte as the file has it,
// HTTP/2 for gRPC and where the file says so.
func (p *Proxy) exchange(ctx context.Context, s *scenario.Scenario, step *scenario.Step, minted *scenario.Minted, e *scenario.Exchange) error {
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	came := p.upstream.expect(step)
	dialer := net.Dialer{}
	ip := step.Request.IP()
	if local(ip) {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(ip)}
	}
	conn, err := dialer.DialContext(ctx, "tcp", p.process.Address(p.names[s]))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if step.Request.HTTP2 || step.Request.IsGRPC() {
		err := overHTTP2(ctx, conn, &step.Request, minted, e)
		e.Upstream = p.upstream.last()
		return err
	}
	if _, err := io.WriteString(conn, wire(&step.Request, minted)); err != nil {
		return err
	}
	if step.Request.Leaves {
		select {
		case <-came:
		case <-ctx.Done():
			return fmt.Errorf("the upstream got nothing: %w", ctx.Err())
		}
		e.Upstream = p.upstream.last()
		return conn.Close()
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: step.Request.Verb()})
	if err != nil {
		return fmt.Errorf("response: %w", err)
	}
	err = received(response, e)
	e.Upstream = p.upstream.last()
	return err
}

// wire is a request in HTTP/1.1.
func wire(r *scenario.Request, minted *scenario.Minted) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nhost: %s\r\n", r.Verb(), r.Target(minted), r.Authority())
	for _, f := range r.Fields(minted) {
		fmt.Fprintf(&b, "%s: %s\r\n", f.Name, f.Value)
	}
	if !local(r.IP()) {
		fmt.Fprintf(&b, "x-forwarded-for: %s\r\n", r.IP())
	}
	if r.Verb() != http.MethodGet && r.Verb() != http.MethodHead {
		b.WriteString("content-length: 0\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}
