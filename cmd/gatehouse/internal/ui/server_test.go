package ui_test

import (
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/gatehouse/internal/ui"
)

const token = "0123456789abcdef0123456789abcdef"

// page is the page's server in front of an admin API that records what reaches it.
type page struct {
	*httptest.Server
	key   string
	asked atomic.Pointer[http.Request]
}

func start(t *testing.T, admin http.HandlerFunc, explain ui.Explain) *page {
	t.Helper()
	p := &page{}
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Store(r)
		admin(w, r)
	}))
	t.Cleanup(behind.Close)
	server, err := ui.New(behind.URL, token, explain)
	require.NoError(t, err)
	p.Server = httptest.NewServer(server)
	t.Cleanup(p.Close)
	_, text := p.do(t, http.MethodGet, "/", "", nil)
	found := regexp.MustCompile(`name="gatehouse-key" content="([0-9a-f]{32})"`).FindStringSubmatch(text)
	require.NotNil(t, found, "the page holds its key")
	p.key = found[1]
	return p
}

func (p *page) do(t *testing.T, method, path, body string, header http.Header) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, p.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	for name, values := range header {
		request.Header[name] = values
	}
	if host := header.Get("Host"); host != "" {
		request.Host = host
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response, string(text)
}

func (p *page) withKey() http.Header { return http.Header{"X-Gatehouse-Ui": {p.key}} }

func answer(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func TestThePagePassesItsRequestsOnWithTheToken(t *testing.T) {
	p := start(t, answer(`{"ready":true}`), nil)
	response, text := p.do(t, http.MethodGet, "/api/ready", "", p.withKey())
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.JSONEq(t, `{"ready":true}`, text)
	asked := p.asked.Load()
	assert.Equal(t, "Bearer "+token, asked.Header.Get("Authorization"))
	assert.Empty(t, asked.Header.Get("Origin"))
	assert.Empty(t, asked.Header.Get("X-Gatehouse-Ui"))
}

func TestAnIdentifierReachesTheAdminAPIAsThePageWroteIt(t *testing.T) {
	p := start(t, answer(`[]`), nil)
	_, _ = p.do(t, http.MethodDelete, "/api/rate-limits/per-caller/user_id=main/al%2Cice,route=x", "", p.withKey())
	asked := p.asked.Load()
	assert.Equal(t, http.MethodDelete, asked.Method)
	assert.Equal(t, "/rate-limits/per-caller/user_id=main/al%2Cice,route=x", asked.RequestURI)
}

func TestNobodyElseCanAsk(t *testing.T) {
	for name, header := range map[string]http.Header{
		"no key":            {},
		"another key":       {"X-Gatehouse-Ui": {strings.Repeat("0", 32)}},
		"another host":      {"Host": {"attacker.example"}},
		"host that ends so": {"Host": {"127.0.0.1.attacker.example:80"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, answer(`{}`), nil)
			if header.Get("Host") != "" {
				header.Set("X-Gatehouse-Ui", p.key)
			}
			response, text := p.do(t, http.MethodGet, "/api/ready", "", header)
			assert.Equal(t, http.StatusForbidden, response.StatusCode)
			assert.NotContains(t, text, token)
			assert.Nil(t, p.asked.Load(), "the admin API isn't asked")
		})
	}
}

func TestOnlyThePagesOwnRequestsReachTheAdminAPI(t *testing.T) {
	p := start(t, answer(`{}`), nil)
	for _, request := range []string{
		"DELETE /api/rate-limits", "DELETE /api/rate-limits/", "DELETE /api/rate-limits/per-caller/", "POST /api/metrics/reset", "GET /api/",
		"POST /api/stats", "GET /api/../config", "GET /api/rate-limits/a/b//c", "GET /api/rate-limits/a/b/../c", "GET /api/metrics%2Freset", "GET /api//stats", "POST /api/explain",
	} {
		method, path, _ := strings.Cut(request, " ")
		response, _ := p.do(t, method, path, "", p.withKey())
		assert.NotEqual(t, http.StatusOK, response.StatusCode, request)
		assert.Nil(t, p.asked.Load(), request)
	}
}

func TestTheTokenIsInNoAnswer(t *testing.T) {
	p := start(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}, nil)
	for _, path := range []string{"/", "/page.js", "/api/stats", "/api/nothing", "/nothing"} {
		response, text := p.do(t, http.MethodGet, path, "", p.withKey())
		assert.NotContains(t, text, token, path)
		for name, values := range response.Header {
			assert.NotContains(t, strings.Join(values, ""), token, "%s: %s", path, name)
		}
	}
	assert.Equal(t, "/stats", p.asked.Load().URL.Path, "a redirect isn't followed")
}

func TestEveryAnswerForbidsWhatThePageDoesNotNeed(t *testing.T) {
	p := start(t, answer(`{}`), nil)
	for _, path := range []string{"/", "/page.css", "/api/ready", "/nothing"} {
		response, _ := p.do(t, http.MethodGet, path, "", p.withKey())
		policy := response.Header.Get("Content-Security-Policy")
		assert.Contains(t, policy, "default-src 'none'", path)
		assert.NotContains(t, policy, "unsafe", path)
		assert.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"), path)
	}
}

func TestAnAdminAPIThatIsGoneIsSaid(t *testing.T) {
	server, err := ui.New("http://127.0.0.1:1", token, nil)
	require.NoError(t, err)
	p := &page{Server: httptest.NewServer(server)}
	defer p.Close()
	_, text := p.do(t, http.MethodGet, "/", "", nil)
	p.key = regexp.MustCompile(`content="([0-9a-f]{32})"`).FindStringSubmatch(text)[1]
	response, text := p.do(t, http.MethodGet, "/api/stats", "", p.withKey())
	assert.Equal(t, http.StatusBadGateway, response.StatusCode)
	assert.Contains(t, text, "the admin API doesn't answer")
}

func TestAnAddressThatIsNoneIsRefused(t *testing.T) {
	for _, address := range []string{"", "127.0.0.1:9902", "ftp://127.0.0.1", "http://", "http://user@127.0.0.1", "http://127.0.0.1?x=1", "://"} {
		_, err := ui.New(address, token, nil)
		require.Error(t, err, address)
	}
}

func TestAnEventIsExplainedUnderTheConfigurationOfTheAdminAPI(t *testing.T) {
	p := start(t, answer(`{"config":{}}`), func(event, configuration []byte) (string, error) {
		return string(event) + " under " + string(configuration), nil
	})
	response, text := p.do(t, http.MethodPost, "/api/explain", `{"path":"/x"}`, p.withKey())
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.JSONEq(t, `{"explanation":"{\"path\":\"/x\"} under {\"config\":{}}"}`, text)
	assert.Equal(t, "/config", p.asked.Load().URL.Path)
}

// The page's own files name nothing outside of it, and bring no markup or code in from data.
func TestThePageLoadsNothingFromElsewhereAndWritesNoMarkup(t *testing.T) {
	files := os.DirFS("assets")
	require.NoError(t, fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path, "vendor/") {
			return err
		}
		text, err := fs.ReadFile(files, path)
		outside := strings.ReplaceAll(string(text), "http://www.w3.org/2000/svg", "")
		assert.NotRegexp(t, `https?://|//[a-z]+\.[a-z]`, outside, path)
		assert.NotRegexp(t, `innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|javascript:`, string(text), path)
		return err
	}))
}
