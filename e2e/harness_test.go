package e2e_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
)

// shippedIssuer is the issuer that envoy.yaml names, wherever the toy one listens.
const shippedIssuer = "http://127.0.0.1:10080"

// patience bounds each wait for an event that must happen. It is generous because CI machines are
// slow.
const patience = 60 * time.Second

// options are for the repository's envoy.yaml with two workers.
func options(t *testing.T, edits ...envoy.Edit) envoy.Options {
	t.Helper()
	o := envoy.OptionsForTest(t)
	o.Concurrency, o.Edits = 2, edits
	return o
}

// logged waits for a line with a text in Envoy's log, from a line on.
func logged(t *testing.T, p *envoy.Process, from int, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, _, err := p.Log.Wait(ctx, from, func(line string) bool { return strings.Contains(line, text) })
	require.NoError(t, err, text)
}

func startIssuer(t *testing.T, name string) *toy.Issuer {
	t.Helper()
	issuer, err := toy.StartIssuer("", name)
	require.NoError(t, err)
	t.Cleanup(issuer.Stop)
	return issuer
}

func startUpstream(t *testing.T) *toy.Upstream {
	t.Helper()
	upstream, err := toy.StartUpstream("")
	require.NoError(t, err)
	t.Cleanup(upstream.Stop)
	return upstream
}

// sign mints a token.
func sign(t *testing.T, issuer *toy.Issuer, claims toy.Claims, options ...toy.SignOption) string {
	t.Helper()
	token, err := issuer.Sign(claims, options...)
	require.NoError(t, err)
	return token
}

// answer is a response, read to its end.
type answer struct {
	status int
	header http.Header
	body   string
	err    error // the exchange's; then the rest is empty
}

// client keeps connections for reuse and follows no redirects.
func client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: (&net.Dialer{}).DialContext, MaxIdleConnsPerHost: 1000, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// exchange sends a request, its path as it stands. header holds names and values in turn.
func exchange(c *http.Client, method, address, path string, header ...string) answer {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+address, nil)
	if err != nil {
		return answer{err: err}
	}
	request.URL.Opaque = path
	for i := 0; i < len(header); i += 2 {
		request.Header.Add(header[i], header[i+1])
	}
	return do(c, request)
}

func do(c *http.Client, request *http.Request) answer {
	response, err := c.Do(request)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(body), err}
}

// get asks for a path with a bearer token; "" for none.
func get(c *http.Client, address, path, token string) answer {
	if token == "" {
		return exchange(c, http.MethodGet, address, path)
	}
	return exchange(c, http.MethodGet, address, path, "Authorization", "Bearer "+token)
}

// exchangeBody posts a body with a bearer token.
func exchangeBody(c *http.Client, address, body, token string) answer {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/", strings.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	request.Header.Set("Authorization", "Bearer "+token)
	return do(c, request)
}
