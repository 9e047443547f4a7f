// Package auditlogs_test runs chained audit logs through Envoy to everything that receives them,
// and verifies what arrived with the CLI.
package auditlogs_test

import (
	"bufio"
	"context"
	"encoding/json"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
)

const (
	issuerName = "http://127.0.0.1:10080" // as envoy.yaml has it
	keyText    = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	patience   = 60 * time.Second
)

// fragment is a file in deploy/audit: access loggers, and the clusters that they need.
type fragment struct {
	AccessLog []any `yaml:"access_log"`
	Clusters  []struct {
		Name string `yaml:"name"`
	} `yaml:"clusters"`
}

// shipped puts fragments from deploy/audit in place of a listener's access log. Their clusters lead
// to the receiver, and their file is the one at path.
func shipped(t *testing.T, listener, receiver, path string, names ...string) []envoy.Edit {
	t.Helper()
	root, err := envoy.RepoRoot()
	require.NoError(t, err)
	var edits []envoy.Edit
	var loggers []any
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(root, "deploy", "audit", name))
		require.NoError(t, err)
		var f fragment
		require.NoError(t, yaml.Unmarshal([]byte(strings.Replace(string(text), "/var/log/envoy/audit.log", path, 1)), &f))
		loggers = append(loggers, f.AccessLog...)
		var whole struct{ Clusters []any }
		require.NoError(t, yaml.Unmarshal(text, &whole))
		for i, cluster := range whole.Clusters {
			one, err := json.Marshal(cluster)
			require.NoError(t, err)
			edits = append(edits, envoy.AddCluster(string(one)), envoy.Endpoint(f.Clusters[i].Name, receiver))
		}
	}
	return append(edits, func(b envoy.Bootstrap) error {
		manager, err := b.ConnectionManager(listener)
		if err == nil {
			manager["access_log"] = loggers
		}
		return err
	})
}

// receiver is the program in this folder's subfolder.
type receiver struct {
	address string
	mu      sync.Mutex
	lines   map[string][]string // by protocol
}

func startReceiver(t *testing.T) *receiver {
	t.Helper()
	root, err := envoy.RepoRoot()
	require.NoError(t, err)
	program := filepath.Join(t.TempDir(), "receiver")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", filepath.Join(root, "e2e", "auditlogs", "receiver"), "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		if os.Getenv("CI") != "true" && strings.Contains(string(out), "dial tcp") {
			t.Skip("the modules of e2e/auditlogs/receiver can't be fetched: connect to a Go module proxy once")
		}
		require.NoError(t, err, "%s", out)
	}
	process := exec.Command(program)
	process.Stderr = os.Stderr
	input, err := process.StdinPipe()
	require.NoError(t, err)
	output, err := process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, process.Start())
	scanner := bufio.NewScanner(output)
	scanner.Buffer(nil, 1<<20)
	require.True(t, scanner.Scan())
	r := &receiver{address: scanner.Text(), lines: map[string][]string{}}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for scanner.Scan() {
			protocol, line, _ := strings.Cut(scanner.Text(), " ")
			r.mu.Lock()
			r.lines[protocol] = append(r.lines[protocol], line)
			r.mu.Unlock()
		}
	}()
	t.Cleanup(func() { // it ends with its input
		assert.NoError(t, input.Close())
		<-read
		assert.NoError(t, process.Wait())
	})
	return r
}

func (r *receiver) got(protocol string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.lines[protocol]...)
}

func buildCLI(t *testing.T) string {
	t.Helper()
	root, err := envoy.RepoRoot()
	require.NoError(t, err)
	program := filepath.Join(t.TempDir(), "gatehouse")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-C", root, "-o", program, "./cmd/gatehouse").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}

// verified is what `gatehouse audit verify --json` says.
type verified struct {
	OK              bool
	Events, Repeats int
	Streams         []struct {
		Status string
		Lines  int
		Break  any
	}
}

func verify(t *testing.T, cli, key, file string, more ...string) verified {
	t.Helper()
	args := append([]string{"audit", "verify", "--json", file, "--key-file", "e2e=" + key}, more...)
	out, err := exec.CommandContext(t.Context(), cli, args...).Output()
	var v verified
	require.NoError(t, json.Unmarshal(out, &v), "%s", out)
	require.NoError(t, err, "%s", out)
	return v
}

// mixed sends requests of every outcome from several clients, some of which leave before the
// answer. It returns over how many connections they came.
func mixed(t *testing.T, address string, issuer *toy.Issuer, n int) uint64 {
	t.Helper()
	var connections atomic.Uint64
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			connections.Add(1)
		}
		return conn, err
	}
	human, err := issuer.Sign(toy.Claims{"iss": issuerName, "aud": "orders", "sub": "alice", "email": "a@example.com", "exp": time.Now().Add(time.Hour).Unix()})
	require.NoError(t, err)
	var running sync.WaitGroup
	const clients = 8
	for c := range clients {
		running.Go(func() {
			random := rand.New(rand.NewPCG(11, uint64(c)))
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2, DialContext: dial}}
			defer client.CloseIdleConnections()
			for range n / clients {
				one(t.Context(), client, random, address, human)
			}
		})
	}
	running.Wait()
	return connections.Load()
}

// judged waits until Envoy has seen the end of all connections, those of clients that have left
// among them, and returns how many requests came over them.
func judged(t *testing.T, p *envoy.Process, connections uint64) (requests uint64) {
	t.Helper()
	require.Eventually(t, func() bool {
		stats, err := p.Stats(t.Context(), `^http\.gate\.downstream_(cx_total|cx_active|rq_total)$`)
		require.NoError(t, err)
		requests = stats["http.gate.downstream_rq_total"]
		return stats["http.gate.downstream_cx_total"] >= connections && stats["http.gate.downstream_cx_active"] == 0
	}, patience, 50*time.Millisecond, "connections end")
	return requests
}

func one(ctx context.Context, client *http.Client, random *rand.Rand, address, human string) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	path, token := "/api/x", human
	switch random.IntN(8) {
	case 0:
		token = ""
	case 1:
		token = human[:len(human)-4] + "AAAA"
	case 2:
		path = "/public/x"
	case 3:
		path = "/a/../b"
	case 4:
		path = `/api/x?audit_event=%7B%22event_type%22%3A%22refund%22%7D`
	case 5:
		path = "/api/x?reset=1"
	case 6:
		path = "/api/x?delay=50ms"
		leave := time.AfterFunc(time.Duration(random.IntN(60))*time.Millisecond, cancel)
		defer leave.Stop()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address, nil)
	if err != nil {
		return
	}
	request.URL.Opaque = path
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if response, err := client.Do(request); err == nil {
		_ = response.Body.Close()
	}
}

// TestEveryReceiverGetsEveryEventAndItVerifies has one event for each judged request, at every
// receiver, in chains that the CLI proves. GATEHOUSE_LONG=1 makes it 100,000 requests.
func TestEveryReceiverGetsEveryEventAndItVerifies(t *testing.T) {
	requests := 2_000
	if os.Getenv("GATEHOUSE_LONG") != "" {
		requests = 100_000
	}
	o := envoy.OptionsForTest(t)
	receiver, cli := startReceiver(t), buildCLI(t)
	dir := t.TempDir()
	file, key := filepath.Join(dir, "audit.log"), filepath.Join(dir, "audit.key")
	require.NoError(t, os.WriteFile(key, []byte(keyText+"\n"), 0o600))
	issuer, err := toy.StartIssuer("", issuerName)
	require.NoError(t, err)
	t.Cleanup(issuer.Stop)
	upstream, err := toy.StartUpstream("")
	require.NoError(t, err)
	t.Cleanup(upstream.Stop)
	o.Concurrency = 2
	o.Edits = append(shipped(t, "gate", receiver.address, file, "envoy-file.yaml", "envoy-opentelemetry.yaml", "envoy-grpc.yaml"),
		envoy.Endpoint("idp", issuer.Address()), envoy.Endpoint("upstream", upstream.Address()),
		envoy.MergePluginConfig("gate", `{
			"rate_limits": [{"name": "per-caller", "max_requests": 300, "window_seconds": 3600}, {"name": "three", "max_requests": 3, "window_seconds": 10, "apply": "by_name"}],
			"audit": {"log": "info", "chain": {"key_id": "e2e", "hmac_key": "`+keyText+`"}}
		}`))
	process, err := envoy.Start(t.Context(), o)
	require.NoError(t, err)
	judged := judged(t, process, mixed(t, process.Address("gate"), issuer, requests))
	require.NotZero(t, judged)
	events := func(lines []string) (ends, all int) {
		for _, line := range lines {
			if strings.HasPrefix(line, `{"timestamp"`) {
				all++
				if !strings.Contains(line, `"event_type":"refund"`) {
					ends++
				}
			}
		}
		return ends, all
	}
	fileLines := func() []string {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		return strings.Split(string(text), "\n")
	}
	for name, lines := range map[string]func() []string{
		"file": fileLines, "otlp": func() []string { return receiver.got("otlp") }, "als": func() []string { return receiver.got("als") },
	} {
		require.Eventually(t, func() bool { ends, _ := events(lines()); return uint64(ends) >= judged }, patience, 50*time.Millisecond, name)
	}
	require.NoError(t, process.Stop())

	log := filepath.Join(dir, "envoy.log")
	require.NoError(t, os.WriteFile(log, []byte(process.Log.String()+"\n"), 0o600))
	files := map[string]string{"file": file, "log": log}
	for _, protocol := range []string{"otlp", "als"} {
		files[protocol] = filepath.Join(dir, protocol+".log")
		require.NoError(t, os.WriteFile(files[protocol], []byte(strings.Join(receiver.got(protocol), "\n")+"\n"), 0o600))
	}
	_, all := events(fileLines())
	for name, path := range files {
		t.Run(name, func(t *testing.T) {
			var more []string
			if name == "otlp" { // Envoy has several exports under way at the same time
				more = append(more, "--any-order")
			}
			v := verify(t, cli, key, path, more...)
			assert.True(t, v.OK)
			assert.Equal(t, all, v.Events)
			assert.Zero(t, v.Repeats)
			assert.LessOrEqual(t, len(v.Streams), 2, "one stream a worker")
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			ends := 0
			seen := map[string]bool{}
			for line := range strings.Lines(string(text)) {
				at := strings.Index(line, `{"timestamp"`)
				if at < 0 {
					continue
				}
				var e struct {
					EventType string `json:"event_type"`
					Metadata  struct {
						ID string `json:"event_id"`
					}
				}
				require.NoError(t, json.Unmarshal([]byte(line[at:]), &e))
				require.False(t, seen[e.Metadata.ID], "event_id twice")
				seen[e.Metadata.ID] = true
				if e.EventType != "refund" {
					ends++
				}
			}
			assert.Equal(t, judged, uint64(ends), "one event for each judged request")
		})
	}
	out, err := exec.CommandContext(t.Context(), cli, "audit", "report", "--json", file).Output()
	require.NoError(t, err)
	var report struct{ Requests, Refused int }
	require.NoError(t, json.Unmarshal(out, &report))
	assert.Equal(t, judged, uint64(report.Requests))
	assert.NotZero(t, report.Refused)
	t.Logf("%d requests, %d events", judged, all)
}
