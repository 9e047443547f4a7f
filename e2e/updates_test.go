package e2e_test

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

// updates deliver the listener gate through a watched directory, as a control plane would.
type updates struct {
	t         *testing.T
	dir       string
	bootstrap envoy.Bootstrap
	version   int
}

func newUpdates(t *testing.T) *updates {
	t.Helper()
	return &updates{t: t, dir: t.TempDir()}
}

// edit takes the listener out of the static ones.
func (u *updates) edit(b envoy.Bootstrap) error {
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &u.bootstrap); err != nil {
		return err
	}
	u.apply(`{}`)
	b["node"] = map[string]any{"id": "e2e", "cluster": "e2e"}
	b["dynamic_resources"] = map[string]any{"lds_config": map[string]any{
		"resource_api_version": "V3",
		"path_config_source":   map[string]any{"path": u.file(), "watched_directory": map[string]any{"path": u.dir}},
	}}
	return envoy.RemoveListener("gate")(b)
}

func (u *updates) file() string { return filepath.Join(u.dir, "lds.json") }

// apply delivers the listener with a change of the plugin's configuration.
func (u *updates) apply(patch string) {
	u.t.Helper()
	require.NoError(u.t, envoy.MergePluginConfig("gate", patch)(u.bootstrap))
	listener, err := u.bootstrap.Listener("gate")
	require.NoError(u.t, err)
	listener["address"] = map[string]any{"socket_address": map[string]any{"address": "127.0.0.1", "port_value": 0}}
	listener["@type"] = "type.googleapis.com/envoy.config.listener.v3.Listener"
	u.version++
	text, err := json.Marshal(map[string]any{"version_info": strconv.Itoa(u.version), "resources": []any{listener}})
	require.NoError(u.t, err)
	require.NoError(u.t, os.WriteFile(u.file()+".new", text, 0o600))
	require.NoError(u.t, os.Rename(u.file()+".new", u.file())) // it becomes visible at once
}

var startedAs = regexp.MustCompile(`started as the gate; version \S+, configuration hash (\d+)`)

// hashes are the hashes of the gates' configurations so far, each once, in the order of their start.
func hashes(p *envoy.Process) (out []string) {
	for _, line := range p.Log.Lines() {
		if m := startedAs.FindStringSubmatch(line); m != nil && (len(out) == 0 || out[len(out)-1] != m[1]) {
			out = append(out, m[1])
		}
	}
	return out
}

// freeAddress is an address on loopback that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
