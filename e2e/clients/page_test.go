package clients_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/libraries"
	"gatehouse/cmd/testbed/toy"
	"gatehouse/e2e/envoytest"
)

const pageAdminToken = "page-0123456789abcdefghijklmnopqrstuv"

const pageConfig = `{
  "tokens": {"providers": [{
    "name": "main", "issuer": "` + envoytest.IssuerName + `", "audiences": ["orders"], "algorithms": ["RS256"], "jwks": {"inline": JWKS}
  }]},
  "routes": [{"name": "account", "path": "/account/**", "caller": "human"}, {"name": "rest", "path": "/**"}],
  "rate_limits": [{"name": "two", "max_requests": 2, "window_seconds": 3600}],
  "audit": {"log": "none"}
}`

// chromium returns the browser, or skips the test.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	libraries.Unavailable(t, "Chromium", exec.ErrNotFound, []byte("install Debian's package chromium"))
	return ""
}

// gateWithAdmin starts a gate and its admin API in Envoy.
func gateWithAdmin(t *testing.T, issuer *toy.Issuer) *envoy.Process {
	t.Helper()
	upstream, err := toy.StartUpstream("")
	require.NoError(t, err)
	t.Cleanup(upstream.Stop)
	config := strings.Replace(pageConfig, "JWKS", string(issuer.JWKS()), 1)
	o := envoy.OptionsForTest(t)
	o.Concurrency = 2
	o.Edits = []envoy.Edit{
		envoy.PluginConfig("gate", config), envoy.Endpoint("upstream", upstream.Address()), envoy.CopyListener("gate", "admin"),
		envoy.MergePluginConfig("admin", `{"admin": {"token": "`+pageAdminToken+`"}}`), envoy.RemoveListener("gate_envoy_jwt"),
	}
	return envoy.StartForTest(t, o)
}

// relay is a way to the admin API that can be closed.
type relay struct {
	listener net.Listener
	to       string
	closed   chan struct{}
}

func startRelay(t *testing.T, address, to string) *relay {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	require.NoError(t, err)
	r := &relay{listener, to, make(chan struct{})}
	go func() {
		defer close(r.closed)
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			go r.pass(in)
		}
	}()
	return r
}

func (r *relay) pass(in net.Conn) {
	defer func() { _ = in.Close() }()
	out, err := net.Dial("tcp", r.to)
	if err != nil {
		return
	}
	defer func() { _ = out.Close() }()
	stop := context.AfterFunc(closing(r.closed), func() { _, _ = in.Close(), out.Close() })
	defer stop()
	go func() { _, _ = io.Copy(out, in) }()
	_, _ = io.Copy(in, out)
}

// closing is a context that ends with a channel.
func closing(done <-chan struct{}) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-done
		cancel()
	}()
	return ctx
}

func (r *relay) stop() {
	_ = r.listener.Close()
	<-r.closed
}

// startPage runs `gatehouse ui` and returns the page's address.
func startPage(t *testing.T, admin string) string {
	t.Helper()
	dir := t.TempDir()
	program, token := filepath.Join(dir, "gatehouse"), filepath.Join(dir, "token")
	require.NoError(t, os.WriteFile(token, []byte(pageAdminToken+"\n"), 0o600))
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "gatehouse/cmd/gatehouse").CombinedOutput()
	require.NoError(t, err, "%s", out)
	cmd := exec.Command(program, "ui", "--admin", "http://"+admin, "--token-file", token)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	return regexp.MustCompile(`http://\S+/`).FindString(line)
}

// browser drives the page: see node/page.mjs.
type browser struct {
	t       *testing.T
	in      io.Writer
	answers *bufio.Scanner
}

func startBrowser(t *testing.T, url string) *browser {
	t.Helper()
	command := runNode(t, "page.mjs")
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "URL="+url, "CHROMIUM="+chromium(t))
	var problems bytes.Buffer
	cmd.Stderr = &problems
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		assert.NoError(t, cmd.Wait(), "%s", problems.String())
	})
	b := &browser{t, in, bufio.NewScanner(out)}
	b.answers.Buffer(nil, 4<<20)
	return b
}

// do gives a command and returns its result. args are names and values in turn.
func (b *browser) do(command string, args ...any) any {
	b.t.Helper()
	message := map[string]any{"command": command}
	for i := 0; i < len(args); i += 2 {
		message[args[i].(string)] = args[i+1]
	}
	line, err := json.Marshal(message)
	require.NoError(b.t, err)
	_, err = fmt.Fprintf(b.in, "%s\n", line)
	require.NoError(b.t, err)
	require.True(b.t, b.answers.Scan(), "the browser has gone")
	var answer struct {
		Result any
		Error  string
	}
	require.NoError(b.t, json.Unmarshal(b.answers.Bytes(), &answer), "%s", b.answers.Bytes())
	require.Empty(b.t, answer.Error, "%s", line)
	return answer.Result
}

func (b *browser) waitFor(selector, text string) {
	b.t.Helper()
	b.do("waitForText", "selector", selector, "text", text)
}

func TestThePageShowsWhatTheAdminAPIKnows(t *testing.T) {
	chromium(t)
	issuer, err := toy.StartIssuer("", envoytest.IssuerName)
	require.NoError(t, err)
	t.Cleanup(issuer.Stop)
	p := gateWithAdmin(t, issuer)
	address := "127.0.0.1:" + strconv.Itoa(envoytest.FreePort(t)) // nobody else's while the relay is closed
	way := startRelay(t, address, p.Address("admin"))
	b := startBrowser(t, startPage(t, address))

	b.do("open")
	b.waitFor("#state", "Live")
	b.waitFor("#refusals", "Nobody has been refused.")
	b.waitFor("#limits", "No limit has met a request yet.")
	b.waitFor("#keys", "Every provider has keys.")
	b.waitFor("#config", `"max_requests": 2`)
	assert.Contains(t, b.do("text", "selector", "#config"), `"token": "***"`)

	human, err := issuer.Sign(issuer.Human("alice", "orders", time.Hour))
	require.NoError(t, err)
	const hostile = `<img src=x onerror=alert(1)><script>document.title="owned"</script>`
	ask := func(path string, want int) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL("gate", path), nil)
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+human)
		request.Header.Set("User-Agent", hostile)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, want, response.StatusCode)
	}
	ask("/a", 200)
	ask("/account/b", 200)
	ask("/%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E", 400)
	ask("/c%22%3E%3Cscript%3Ealert(1)", 429)

	b.waitFor("#limits", "two")
	b.waitFor("#refusals", "rate_limited")
	b.waitFor("#refusals", hostile)
	b.waitFor("#totals", "verified")
	b.do("screenshot", "path", screenshot(t, "page-light.png"))
	assert.Empty(t, b.do("axe"), "light")
	b.do("dark")
	assert.Empty(t, b.do("axe"), "dark")
	b.do("screenshot", "path", screenshot(t, "page-dark.png"))

	// With the keyboard alone: why a request was refused, and one caller's limit.
	b.do("focus", "selector", "#refusals button")
	b.do("press", "keys", []string{"Enter"})
	b.waitFor("#detail-why", "two")
	b.waitFor("#detail-event", "event_id")
	assert.Empty(t, b.do("axe"), "dialog")
	b.do("press", "keys", []string{"Escape"})
	b.do("focus", "selector", "#lookup-identifier")
	b.do("type", "text", "user_id=main/alice")
	b.do("press", "keys", []string{"Enter"})
	b.waitFor("#lookup-result", "Remaining")
	b.do("press", "keys", []string{"Tab", "Tab"})
	assert.Equal(t, "lookup-reset", b.do("focused"))
	b.do("press", "keys", []string{"Enter"})
	b.waitFor("#lookup-result", "has its whole limit again")
	ask("/d", 200)

	// The admin API goes and comes back.
	way.stop()
	b.waitFor("#state", "Stale")
	back := startRelay(t, address, p.Address("admin"))
	defer back.stop()
	b.waitFor("#state", "Live")

	assert.Empty(t, b.do("problems"), "nothing broke the page's policy, and nothing was loaded from elsewhere")
	assert.NotContains(t, b.do("text", "selector", "title"), "owned")
	assert.Zero(t, b.do("count", "selector", "img, main script"))
}

// screenshot is where a picture of the page goes: PAGE_SCREENSHOTS, for those who want to look at
// it, or nowhere that stays.
func screenshot(t *testing.T, name string) string {
	t.Helper()
	if dir := os.Getenv("PAGE_SCREENSHOTS"); dir != "" {
		return filepath.Join(dir, name)
	}
	return filepath.Join(t.TempDir(), name)
}
