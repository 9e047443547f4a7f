package clients_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/e2e/envoytest"
)

func TestAgRPCClientObeysThePushbackAndIsAdmittedOnItsFirstRetry(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := runPython(t, "with_grpcio.py")
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	var problems strings.Builder
	cmd.Stderr = &problems
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // an error if the test has waited already
	})

	out := bufio.NewReader(stdout)
	port, err := out.ReadString('\n')
	require.NoError(t, err, "the upstream's port")
	g := envoytest.Start(t, retryConfig, envoy.Endpoint("upstream", "127.0.0.1:"+strings.TrimSpace(port)), overHTTP2("upstream"))
	_, err = fmt.Fprintln(stdin, g.Address("gate"), g.Token(t, "grpcio"))
	require.NoError(t, err)
	text, err := io.ReadAll(out)
	require.NoError(t, err)
	require.NoError(t, cmd.Wait(), "%s", &problems)

	assert.Equal(t, []string{"OK", "OK", "OK"}, strings.Fields(string(text)))
	const ok, resourceExhausted = 0, 8
	answered(t, g, "grpcio", ok, ok, resourceExhausted, ok)
}

// overHTTP2 makes Envoy speak HTTP/2 to a cluster, as gRPC servers need it.
func overHTTP2(cluster string) envoy.Edit {
	return func(b envoy.Bootstrap) error {
		c, err := b.Cluster(cluster)
		if err != nil {
			return err
		}
		c["typed_extension_protocol_options"] = map[string]any{
			"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": map[string]any{
				"@type":                "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
				"explicit_http_config": map[string]any{"http2_protocol_options": map[string]any{}},
			},
		}
		return nil
	}
}
