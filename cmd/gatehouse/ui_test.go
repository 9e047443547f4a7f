package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The page's program says where the page is, serves it, and ends with its context.
func TestUIServesThePageUntilItIsEnded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("0123456789abcdef0123456789abcdef\n"), 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"ui", "--admin", "http://127.0.0.1:1", "--token-file", file}, nil, writer, io.Discard)
		_ = writer.Close()
	}()
	line := make([]byte, 200)
	n, err := reader.Read(line)
	require.NoError(t, err)
	url := regexp.MustCompile(`http://127\.0\.0\.1:\d+/`).FindString(string(line[:n]))
	require.NotEmpty(t, url)
	response, err := (&http.Client{Timeout: time.Minute}).Get(url) //nolint:noctx // on this machine
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, response.StatusCode)
	require.NoError(t, response.Body.Close())
	cancel()
	assert.Zero(t, <-code)
}

func TestUIRefusesWhatItCantServe(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("x"), 0o600))
	for want, args := range map[string][]string{
		"gatehouse: --token-file: " + empty + " is empty\n": {"--admin", "http://127.0.0.1:1", "--token-file", empty},
		"gatehouse: --admin: the admin API's address: want http://HOST:PORT, got \"127.0.0.1\"\n": {
			"--admin", "127.0.0.1", "--token-file", token},
		"gatehouse: --listen: want a loopback address such as 127.0.0.1:9903, got 0.0.0.0:0\n": {
			"--admin", "http://127.0.0.1:1", "--token-file", token, "--listen", "0.0.0.0:0"},
	} {
		r := gatehouse(t, "", append([]string{"ui"}, args...)...)
		assert.Equal(t, result{2, "", want}, r)
	}
}

func TestAnEventIsExplainedInWords(t *testing.T) {
	answer := `{"version":"1","config_hash":1,"config":{"routes":[{"path":"/a","auth":"none"}],"audit":{"chain":{"key_id":"k","hmac_key":"***"}}}}`
	event := `{"event_type":"access_denied","path":"/x","method":"GET","status_code":403,"metadata":{"reason":"no_route","route":null}}`
	text, err := explainForPage([]byte(event), []byte(answer))
	require.NoError(t, err)
	assert.Contains(t, text, "route")
	_, err = explainForPage([]byte(event), []byte(`{}`))
	require.EqualError(t, err, "the admin API's configuration can't be read")
	_, err = explainForPage([]byte(`{}`), []byte(answer))
	require.Error(t, err)
}
