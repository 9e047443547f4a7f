// Package deploy_test runs what is in deploy/ in real Envoy: the plain configuration as it is, the
// manifests of Envoy Gateway and Istio by way of these.
package deploy_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
)

const (
	// patience bounds each wait for an event that must happen. It is generous because CI machines
	// are slow.
	patience = 120 * time.Second
	// idpHost is the identity provider of all files in deploy/.
	idpHost = "idp.example"
	// adminToken is that of the admin API.
	adminToken = "0123456789abcdef0123456789abcdef"
)

// world is what stands around the gate: the identity provider that the files in deploy/ name, by
// TLS, and the Service behind the gate.
type world struct {
	issuer   *toy.Issuer
	upstream *toy.Upstream
	idp      string // "host:port"
	ca       string // a PEM file: who signed the provider's certificate
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{}
	var err error
	w.issuer, err = toy.StartIssuer("", "https://"+idpHost)
	require.NoError(t, err)
	t.Cleanup(w.issuer.Stop)
	w.upstream, err = toy.StartUpstream("")
	require.NoError(t, err)
	t.Cleanup(w.upstream.Stop)

	target, err := url.Parse(w.issuer.URL())
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }})
	certificate := selfSigned(t)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.StartTLS()
	t.Cleanup(server.Close)
	w.idp = server.Listener.Addr().String()
	w.ca = filepath.Join(t.TempDir(), "ca.crt")
	require.NoError(t, os.WriteFile(w.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}), 0o600))
	return w
}

// selfSigned makes a certificate for the identity provider.
func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: idpHost}, DNSNames: []string{idpHost},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// port of "host:port".
func port(t *testing.T, hostport string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(hostport)
	require.NoError(t, err)
	return port
}

// ask sends a request, with a bearer token if there is one.
func ask(t *testing.T, method, address, token string) (status int, header http.Header, body string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, address, nil)
	require.NoError(t, err)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, response.Header, string(text), err
}

// ready waits until the gate answers as only it does.
func ready(t *testing.T, base string) {
	t.Helper()
	var last string
	require.Eventually(t, func() bool {
		status, _, body, err := ask(t, http.MethodGet, base+"/", "")
		last = fmt.Sprint(status, " ", body, " ", err)
		return status == http.StatusUnauthorized
	}, patience, 250*time.Millisecond, "the gate never answers")
	t.Log("ready: ", last)
}

// fourAnswers sends a request each for 401, 403, 200 and 429, as the READMEs in deploy/ do.
func (w *world) fourAnswers(t *testing.T, base string) {
	t.Helper()
	alice, err := w.issuer.Sign(w.issuer.Human("alice", "orders", time.Hour))
	require.NoError(t, err)
	batch, err := w.issuer.Sign(w.issuer.Machine("batch", "orders", time.Hour))
	require.NoError(t, err)
	forged, err := toy.Tampered(alice)
	require.NoError(t, err)

	for _, c := range []struct {
		path, token string
		status      int
		body        string
	}{
		{"/", "", 401, `{"detail": "Authentication required"}`},
		{"/", forged, 401, ""}, // in words of its own where Istio verifies
		{"/account/me", batch, 403, `{"detail": "This endpoint requires human user authentication"}`},
		{"/health", "", 200, ""},
	} {
		status, _, body, err := ask(t, http.MethodGet, base+c.path, c.token)
		require.NoError(t, err, c.path)
		assert.Equal(t, c.status, status, "%s: %s", c.path, body)
		if c.body != "" {
			assert.JSONEq(t, c.body, body, c.path)
		}
	}

	before := w.upstream.Requests()
	for i := range 100 {
		status, header, body, err := ask(t, http.MethodGet, base+"/orders/7", alice)
		require.NoError(t, err)
		require.Equal(t, 200, status, "%d: %s", i, body)
		require.Equal(t, fmt.Sprint(99-i), header.Get("X-RateLimit-Remaining"))
		if i == 0 {
			assert.Contains(t, body, `"X-Gatehouse-User-Id":["alice"]`)
		}
	}
	status, header, body, err := ask(t, http.MethodGet, base+"/orders/7", alice)
	require.NoError(t, err)
	assert.Equal(t, 429, status, body)
	assert.NotEmpty(t, header.Get("Retry-After"))
	assert.Equal(t, before+100, w.upstream.Requests(), "only what is admitted reaches the Service")
}

// logged waits for a line with all these texts.
func logged(t *testing.T, log *envoy.Log, texts ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, _, err := log.Wait(ctx, 0, func(line string) bool { return containsAll(line, texts) })
	require.NoError(t, err, "%v", texts)
}

var series = regexp.MustCompile(`(?m)^gatehouse_requests_total.*$`)

// labelled waits until a metric of the gate is there, with labels, where Prometheus scrapes.
func labelled(t *testing.T, address string) {
	t.Helper()
	var body string
	defer func() {
		if t.Failed() {
			t.Log(strings.Join(series.FindAllString(body, -1), "\n"))
		}
	}()
	require.Eventually(t, func() bool {
		_, _, text, err := ask(t, http.MethodGet, address, "")
		body = text
		return err == nil && slices.ContainsFunc(series.FindAllString(text, -1), func(s string) bool {
			return containsAll(s, []string{`route="account"`, `decision="human_required"`})
		})
	}, patience/4, 250*time.Millisecond, "no labels")
}

func containsAll(s string, texts []string) bool {
	for _, text := range texts {
		if !strings.Contains(s, text) {
			return false
		}
	}
	return true
}
