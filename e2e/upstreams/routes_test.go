package upstreams_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/e2e/envoytest"
)

// routed is how Envoy's routes do more with a request than send it once to one upstream.
const routed = `
- match: {prefix: /retried/}
  route: {cluster: upstream, retry_policy: {retry_on: "5xx,reset", num_retries: 2, retry_back_off: {base_interval: 0.01s}}}
- match: {prefix: /mirrored/}
  route: {cluster: upstream, request_mirror_policies: [{cluster: mirror}]}
- match: {prefix: /added/}
  request_headers_to_add:
  - {header: {key: x-copied, value: "%REQ(x-gatehouse-user-id)%"}}
  - {header: {key: x-gatehouse-user-id, value: "added"}, append_action: APPEND_IF_EXISTS_OR_ADD}
  route: {cluster: upstream}
- match: {prefix: /direct/}
  direct_response: {status: 418, body: {inline_string: short}}
- match: {prefix: /moved/}
  redirect: {path_redirect: /elsewhere}
- match: {prefix: /disabled/}
  route: {cluster: upstream}
  typed_per_filter_config:
    gatehouse:
      "@type": type.googleapis.com/envoy.config.route.v3.FilterConfig
      disabled: true
      config: {}
- match: {prefix: /}
  route:
    cluster: upstream
    internal_redirect_policy: {max_internal_redirects: 2, redirect_response_codes: [302, 307], allow_cross_scheme_redirect: true}
`

// routedConfig has a route for machines that people must not get into.
var routedConfig = strings.Replace(config, `"routes": [`, `"routes": [
	{"name": "open", "path": "/open/**", "auth": "none"}, {"name": "machines", "path": "/machines/**", "caller": "machine"}, `, 1)

func TestRoutesThatSendARequestMoreThanOnceOrNotAtAll(t *testing.T) {
	u, mirror := startUpstream(t), startUpstream(t)
	tries := 0
	u.on("retried", func(e *exchange) {
		e.kept = true // else Envoy might send the next try on a connection that is being closed
		if tries++; tries > 2 {
			e.write(plainAnswer)
		} else if tries == 2 {
			e.kept = false
			e.reset()
		} else {
			e.write("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
		}
	})
	mirror.on("mirrored", (*exchange).reset)
	toward := func(where string) func(*exchange) {
		more := "" // an event of the upstream's own
		if where == "http://a/welcome/x" {
			more = "X-Audit-Event: {\"event_type\":\"on_the_way\"}\r\n"
		}
		return func(e *exchange) {
			e.write("HTTP/1.1 302 Found\r\nLocation: " + where + "\r\n" + more + "Content-Length: 0\r\nConnection: close\r\n\r\n")
		}
	}
	u.on("open", toward("http://a/machines/open"))
	u.on("people", toward("http://a/machines/people"))
	u.on("known", toward("http://a/welcome/x"))
	u.on("loop", toward("http://a/loop/x"))
	u.on("spelled", toward("http://a/a/%2e%2e/machines/x"))
	u.on("away", toward("http://b.example/other/x"))
	g := envoytest.Start(t, routedConfig, envoy.Endpoint("upstream", u.address), envoytest.Routes(routed),
		envoy.AddCluster(`{name: mirror}`), envoy.Endpoint("mirror", mirror.address))
	requests := 0
	ask := func(t *testing.T, path, user string) envoytest.Answer {
		t.Helper()
		w := envoytest.Dial(t, g.Address("gate"))
		head := "GET " + path + " HTTP/1.1\nHost: a\nX-Gatehouse-User-Id: mallory"
		if user != "" {
			head += "\nAuthorization: Bearer " + g.Token(t, user)
		}
		w.Send(t, head)
		a := w.Receive(http.MethodGet)
		require.NoError(t, a.Err)
		return a
	}
	judged := func(t *testing.T, path, want string) {
		t.Helper()
		event := g.Events.One(t, path)
		assert.Equal(t, want, strings.TrimSpace(fmt.Sprint(event.Type, " ", event.Status, " ", event.Metadata.Reason)), path)
		requests++
	}
	count := func(t *testing.T, user string, want int) {
		t.Helper()
		assert.Equal(t, want, charged(t, g, user), "charges")
		requests++
	}

	t.Run("a retry is no new request", func(t *testing.T) {
		assert.Equal(t, "200", ask(t, "/retried/x", "retrier").Outcome())
		judged(t, "/retried/x", "auth_success 200")
		assert.Equal(t, 3, u.count("/retried/x"))
		assert.Equal(t, []string{"retrier"}, u.header("/retried/x")["X-Gatehouse-User-Id"])
		count(t, "retrier", 1)
	})
	t.Run("a mirror gets what the upstream gets", func(t *testing.T) {
		assert.Equal(t, "200", ask(t, "/mirrored/x", "mirrored").Outcome())
		judged(t, "/mirrored/x", "auth_success 200")
		require.Eventually(t, func() bool { return mirror.count("/mirrored/x") == 1 }, envoytest.Patience, 10*time.Millisecond)
		assert.Equal(t, []string{"mirrored"}, mirror.header("/mirrored/x")["X-Gatehouse-User-Id"])
		count(t, "mirrored", 1)
	})
	t.Run("a mirror gets nothing of a refused request", func(t *testing.T) {
		assert.Equal(t, "401", ask(t, "/mirrored/refused", "").Outcome())
		judged(t, "/mirrored/refused", "auth_failure 401 missing_token")
		assert.Zero(t, mirror.count("/mirrored/refused"))
	})
	t.Run("a route adds headers behind the gate", func(t *testing.T) {
		assert.Equal(t, "200", ask(t, "/added/x", "adder").Outcome())
		judged(t, "/added/x", "auth_success 200")
		assert.Equal(t, []string{"adder"}, u.header("/added/x")["X-Copied"])
		assert.Equal(t, []string{"adder", "added"}, u.header("/added/x")["X-Gatehouse-User-Id"], "the operator's own choice")
	})
	t.Run("a direct response is behind the gate", func(t *testing.T) {
		assert.Equal(t, "418", ask(t, "/direct/x", "direct").Outcome())
		judged(t, "/direct/x", "auth_success 418")
		assert.Equal(t, "401", ask(t, "/direct/refused", "").Outcome())
		judged(t, "/direct/refused", "auth_failure 401 missing_token")
		count(t, "direct", 1)
	})
	t.Run("a redirect by Envoy is behind the gate", func(t *testing.T) {
		assert.Equal(t, "301", ask(t, "/moved/x", "mover").Outcome())
		judged(t, "/moved/x", "auth_success 301")
		assert.Equal(t, "401", ask(t, "/moved/refused", "").Outcome())
		judged(t, "/moved/refused", "auth_failure 401 missing_token")
	})
	t.Run("a route without the filter is without a gate", func(t *testing.T) {
		assert.Equal(t, "200", ask(t, "/disabled/x", "").Outcome())
		assert.Equal(t, []string{"mallory"}, u.header("/disabled/x")["X-Gatehouse-User-Id"], "gatehouse check warns of it")
	})
	for _, c := range []struct{ name, from, user, first, to, second, status string }{
		{"from an open route into a closed one", "/open/x", "", "request 302", "/machines/open", "auth_failure 401 missing_token", "401"},
		{"into a route for others", "/people/x", "person", "auth_success 302", "/machines/people", "access_denied 403 machine_required", "403"},
		{"into an unsafe spelling", "/spelled/x", "speller", "auth_success 302", "/a/%2e%2e/machines/x", "access_denied 400 unsafe_path", "400"},
		{"between routes of one caller", "/known/x", "knower", "auth_success 302", "/welcome/x", "auth_success 200", "200"},
		{"away to another host", "/away/x", "leaver", "auth_success 302", "/other/x", "auth_success 200", "200"},
	} {
		t.Run("an internal redirect "+c.name, func(t *testing.T) {
			assert.Equal(t, c.status, ask(t, c.from, c.user).Outcome())
			judged(t, c.from, c.first)
			judged(t, c.to, c.second)
			switch {
			case c.status == "200":
				assert.Equal(t, []string{c.user}, u.header(c.to)["X-Gatehouse-User-Id"])
				count(t, c.user, 2)
			case c.user != "":
				assert.Zero(t, u.count(c.to))
				count(t, c.user, 1)
			}
		})
	}
	t.Run("internal redirects end at the bound, each judged", func(t *testing.T) {
		assert.Equal(t, "302", ask(t, "/loop/x", "looper").Outcome())
		for _, event := range g.Events.Await(t, "/loop/x", 3) {
			assert.Equal(t, "auth_success 302", fmt.Sprint(event.Type, " ", event.Status))
			requests++
		}
		count(t, "looper", 3)
	})
	const undecided = 0
	g.Settled(t, requests, undecided)
	assert.Zero(t, g.Counter(t, "audit_events_total.event_type.custom"), "what an upstream reports in an answer that Envoy follows reaches no filter")
}
