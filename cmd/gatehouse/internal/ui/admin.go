package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// The bounds of an exchange with the admin API.
const (
	adminTimeout = 5 * time.Second
	maxAnswer    = 8 << 20
	maxEvent     = 256 << 10
)

// adminAPI is the admin API as the page may use it.
type adminAPI struct {
	base   string
	token  string
	client *http.Client
}

func newAdminAPI(base, token string) (*adminAPI, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("the admin API's address: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("the admin API's address: want http://HOST:PORT, got %q", base)
	}
	client := &http.Client{
		Timeout: adminTimeout,
		// A redirect would take the token elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &adminAPI{base: strings.TrimSuffix(base, "/"), token: token, client: client}, nil
}

// allowed are the requests that the page makes. Everything else stays at this server.
func allowed(method, path string) bool {
	switch path {
	case "/metrics", "/stats", "/refusals", "/config", "/ready", "/audit/heads":
		return method == http.MethodGet
	}
	rest, ok := strings.CutPrefix(path, "/rate-limits/")
	rule, identifier, parts := strings.Cut(rest, "/")
	if !ok || !parts || rule == "" || method != http.MethodGet && method != http.MethodDelete {
		return false
	}
	for segment := range strings.SplitSeq(identifier, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

// pass sends the page's request on, and its answer back.
func (a *adminAPI) pass(w http.ResponseWriter, r *http.Request, path string) {
	if !allowed(r.Method, path) {
		fail(w, http.StatusNotFound, "the page has no such request")
		return
	}
	answer, status, err := a.do(r, path)
	if err != nil {
		fail(w, http.StatusBadGateway, "the admin API doesn't answer: "+err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(answer) //nolint:gosec // JSON, and said to be
}

func (a *adminAPI) do(r *http.Request, path string) (answer []byte, status int, err error) {
	request, err := http.NewRequestWithContext(r.Context(), r.Method, a.base+path, nil) //nolint:gosec // one of the allowed paths
	if err != nil {
		return nil, 0, err
	}
	request.Header.Set("Authorization", "Bearer "+a.token)
	response, err := a.client.Do(request) //nolint:gosec // the admin API that the user named
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err == nil && len(answer) > maxAnswer {
		err = fmt.Errorf("its answer is longer than %d bytes", maxAnswer)
	}
	return answer, response.StatusCode, err
}

// explainEvent answers what decided about an event that the page shows.
func (s *Server) explainEvent(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || s.explain == nil {
		fail(w, http.StatusNotFound, "nothing explains events here")
		return
	}
	event, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEvent))
	if err != nil {
		fail(w, http.StatusRequestEntityTooLarge, "the event is too long")
		return
	}
	get := r.Clone(r.Context())
	get.Method = http.MethodGet
	configuration, status, err := s.admin.do(get, "/config")
	if err != nil || status != http.StatusOK {
		fail(w, http.StatusBadGateway, "the admin API gives no configuration")
		return
	}
	text, err := s.explain(event, configuration)
	if err != nil {
		fail(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	var out bytes.Buffer
	_ = json.NewEncoder(&out).Encode(map[string]string{"explanation": text})
	_, _ = w.Write(out.Bytes())
}

// fail answers with an error in the admin API's form.
func fail(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"detail": detail})
}
