package ui

import (
	"crypto/rand"
	"crypto/subtle"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net"
	"net/http"
	"path"
	"strings"
)

//go:embed assets
var assets embed.FS

// policy lets the page load its own files and nothing else, and run no script that isn't one of
// them.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// keyHeader is how the page proves that it is this server's: other sites can't read the key, and
// may not send the header.
const keyHeader = "x-gatehouse-ui"

// Explain says of an audit event, as JSON, what decided, under a configuration, as JSON.
type Explain func(event, configuration []byte) (text string, err error)

// Server is the page and what stands between it and the admin API.
type Server struct {
	admin   *adminAPI
	explain Explain
	key     string
}

// New makes a server for an admin API at a URL, such as http://127.0.0.1:9902, whose token is
// known. explain may be nil.
func New(adminURL, token string, explain Explain) (*Server, error) {
	admin, err := newAdminAPI(adminURL, token)
	if err != nil {
		return nil, err
	}
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return nil, err
	}
	return &Server{admin: admin, explain: explain, key: hex.EncodeToString(random)}, nil
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
	// A page of another site can give its own name this machine's address, but not change the host
	// that it asks for.
	if !isLoopback(r.Host) {
		http.Error(w, "this page is for this machine only: open it as http://127.0.0.1", http.StatusForbidden)
		return
	}
	call, isCall := strings.CutPrefix(r.URL.EscapedPath(), "/api/")
	switch {
	case !isCall:
		s.file(w, r)
	case subtle.ConstantTimeCompare([]byte(r.Header.Get(keyHeader)), []byte(s.key)) != 1:
		http.Error(w, "only the page itself may ask", http.StatusForbidden)
	case call == "explain":
		s.explainEvent(w, r)
	default:
		s.admin.pass(w, r, "/"+call)
	}
}

// file answers with one of the page's files.
func (s *Server) file(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	if name == "" {
		name = "index.html"
	}
	text, err := fs.ReadFile(assets, "assets/"+name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	if name == "index.html" {
		text = []byte(strings.Replace(string(text), "{{key}}", s.key, 1))
	}
	_, _ = w.Write(text) //nolint:gosec // the page's own file
}

// isLoopback reports whether a Host header names this machine by a loopback address or as
// localhost.
func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}
