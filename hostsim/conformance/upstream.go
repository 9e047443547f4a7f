package conformance

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"
)

// Upstream is what stands behind the host: an HTTP server, a gRPC server, and an
// address where nobody listens.
type Upstream struct {
	// HTTP and GRPC are addresses, the latter for HTTP/2 without TLS. Nobody
	// listens at Dead.
	HTTP, GRPC, Dead string
	// Seen has a line for each request.
	Seen *Lines

	servers []*httptest.Server
}

// dead is where nobody listens: port 1 is not among those that the system gives
// away, and taking it needs privileges.
const dead = "127.0.0.1:1"

// NewUpstream starts the servers.
func NewUpstream() *Upstream {
	up := &Upstream{Dead: dead, Seen: &Lines{}}
	plain := httptest.NewServer(http.HandlerFunc(up.serveHTTP))
	h2c := httptest.NewUnstartedServer(http.HandlerFunc(up.serveGRPC))
	h2c.Config.Protocols = new(http.Protocols)
	h2c.Config.Protocols.SetUnencryptedHTTP2(true)
	h2c.Start()
	up.servers = []*httptest.Server{plain, h2c}
	up.HTTP = plain.Listener.Addr().String()
	up.GRPC = h2c.Listener.Addr().String()
	return up
}

// Close stops the servers.
func (up *Upstream) Close() {
	for _, s := range up.servers {
		s.CloseClientConnections()
		s.Close()
	}
}

func (up *Upstream) serveHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/slow" || r.URL.Path == "/upstream-slow" {
		select {
		case <-r.Context().Done():
		case <-time.After(wait):
		}
		return
	}
	body, err := io.ReadAll(r.Body)
	line := fmt.Sprintf("upstream: %s %s %s host=%q %s body %q", r.Proto, r.Method, r.URL.Path, r.Host, describe(r.Header), body)
	if len(r.Trailer) > 0 {
		line += " trailers " + describe(r.Trailer)
	}
	if err != nil {
		return // what is cut off arrives or not as chance has it
	}
	up.Seen.Add(line)
	if r.URL.Path == "/upstream-close" {
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	h.Set("Date", "Thu, 01 Jan 1970 00:00:00 GMT")
	h.Set("Content-Type", "text/plain")
	h.Set("X-Up", "1")
	const answer = "answer"
	trailers := r.URL.Path == "/with-trailers" || strings.HasPrefix(r.URL.Path, "/trailers")
	if trailers {
		h.Set("Trailer", "X-Up-Trailer")
	} else {
		h.Set("Content-Length", strconv.Itoa(len(answer)))
	}
	_, _ = io.WriteString(w, answer)
	if trailers {
		h.Set("X-Up-Trailer", "end")
	}
}

// serveGRPC is the service probe.Probe: Echo answers a call, Fail refuses one,
// Slow does neither, Chat echoes a stream.
func (up *Upstream) serveGRPC(w http.ResponseWriter, r *http.Request) {
	up.Seen.Add(fmt.Sprintf("upstream: grpc %s x-md=%q %s", r.URL.Path, r.Header.Get("X-Md"), r.Header.Get("Content-Type")))
	if strings.HasSuffix(r.URL.Path, "/Slow") {
		<-r.Context().Done()
		return
	}
	h := w.Header()
	h.Set("Date", "Thu, 01 Jan 1970 00:00:00 GMT")
	h.Set("Content-Type", "application/grpc")
	h.Set("X-Initial", "i")
	status, message := "0", ""
	if strings.HasSuffix(r.URL.Path, "/Fail") {
		status, message = "7", "not today"
	}
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w).Flush
	_ = flush()
	for status == "0" {
		var prefix [5]byte
		if _, err := io.ReadFull(r.Body, prefix[:]); err != nil {
			break
		}
		msg := make([]byte, binary.BigEndian.Uint32(prefix[1:]))
		if _, err := io.ReadFull(r.Body, msg); err != nil {
			break
		}
		msg = append([]byte("echo "), msg...)
		_, _ = w.Write(append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(msg))), msg...))
		_ = flush()
	}
	h.Set(http.TrailerPrefix+"Grpc-Status", status)
	if message != "" {
		h.Set(http.TrailerPrefix+"Grpc-Message", message)
	}
	h.Set(http.TrailerPrefix+"X-Trailing", "t")
}
