package clients_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
	"gatehouse/e2e/envoytest"
)

const corsConfig = `{
  "tokens": {"providers": [{
    "name": "main", "issuer": "` + envoytest.IssuerName + `", "audiences": ["orders"], "algorithms": ["RS256"], "jwks": {"inline": JWKS}
  }]},
  "cors": {"allow_origins": ["ORIGIN"]},
  "cors_preflight": "pass",
  "routes": [{"path": "/**"}],
  "rate_limits": [{"name": "one", "max_requests": 1, "window_seconds": 3600}],
  "audit": {"log": "none"}
}`

// corsPage asks the gate, which is another origin, and writes what a script may read of each
// answer.
const corsPage = `<!doctype html><pre id="out"></pre><script>
const names = ["www-authenticate", "retry-after", "x-ratelimit-remaining", "ratelimit", "x-gatehouse-event-id", "x-secret"];
async function ask(token) {
  try {
    const response = await fetch("GATE/", token ? {headers: {authorization: "Bearer " + token}} : {});
    return response.status + " " + names.filter((n) => response.headers.has(n)).join(",");
  } catch (error) {
    return String(error);
  }
}
(async () => {
  const lines = [await ask(""), await ask("TOKEN"), await ask("TOKEN")];
  document.getElementById("out").textContent = lines.join("|") + "|end";
})();
</script>`

// A page of another origin reads why it was refused, if its origin is one of cors.allow_origins,
// and nothing if it isn't. What the upstream answers is the application's to share: it shares it
// here.
func TestAPageOfAnotherOriginReadsWhyItWasRefused(t *testing.T) {
	browser := chromium(t)
	issuer, err := toy.StartIssuer("", envoytest.IssuerName)
	require.NoError(t, err)
	t.Cleanup(issuer.Stop)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Allow-Headers", "authorization")
	}))
	t.Cleanup(upstream.Close)
	var page string
	serve := func() *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, page)
		}))
		t.Cleanup(s.Close)
		return s
	}
	trusted, other := serve(), serve()
	config := strings.NewReplacer("JWKS", string(issuer.JWKS()), "ORIGIN", trusted.URL).Replace(corsConfig)
	o := envoy.OptionsForTest(t)
	o.Edits = []envoy.Edit{
		envoy.RemoveListener("gate_envoy_jwt"), envoy.PluginConfig("gate", config),
		envoy.Endpoint("upstream", strings.TrimPrefix(upstream.URL, "http://")),
	}
	gate := "http://" + envoy.StartForTest(t, o).Address("gate")

	for i, c := range []struct{ origin, want string }{
		{trusted.URL, "401 www-authenticate,x-gatehouse-event-id|200 |429 retry-after,x-ratelimit-remaining,ratelimit,x-gatehouse-event-id|end"},
		{other.URL, "TypeError: Failed to fetch|200 |TypeError: Failed to fetch|end"},
	} {
		token, err := issuer.Sign(issuer.Human(fmt.Sprintf("user-%d", i), "orders", time.Hour))
		require.NoError(t, err)
		page = strings.NewReplacer("GATE", gate, "TOKEN", token).Replace(corsPage)
		assert.Equal(t, c.want, readPage(t, browser, c.origin))
	}
}

var outElement = regexp.MustCompile(`<pre id="out">([^<]*)</pre>`)

// readPage opens a page and returns what its script has written.
func readPage(t *testing.T, browser, url string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(),
		"--virtual-time-budget=20000", "--dump-dom", url).Output()
	require.NoError(t, err)
	m := outElement.FindSubmatch(out)
	require.NotNil(t, m, "%s", out)
	return string(m[1])
}
