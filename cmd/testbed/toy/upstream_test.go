package toy_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/toy"
)

func newUpstream(t *testing.T) *toy.Upstream {
	t.Helper()
	upstream, err := toy.StartUpstream("")
	require.NoError(t, err)
	t.Cleanup(upstream.Stop)
	return upstream
}

func TestTheUpstreamEchoesTheRequest(t *testing.T) {
	upstream := newUpstream(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, upstream.URL()+"/a%2fb?x=1", strings.NewReader("body <&>"))
	require.NoError(t, err)
	request.Header["X-Twice"] = []string{"1", "2"}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	var echo toy.Echo
	require.NoError(t, json.NewDecoder(response.Body).Decode(&echo))
	assert.Equal(t, http.MethodPost, echo.Method)
	assert.Equal(t, "/a%2fb?x=1", echo.Path)
	assert.Equal(t, upstream.Address(), echo.Host)
	assert.Equal(t, []string{"1", "2"}, echo.Header["X-Twice"])
	assert.Equal(t, "body <&>", echo.Body)
	assert.Equal(t, 1, upstream.Requests())
}

func TestTheQueryChangesTheAnswer(t *testing.T) {
	upstream := newUpstream(t)
	started := time.Now()
	response, _, err := get(t, upstream.URL()+`/?status=418&delay=30ms&audit_event=%7B%22a%22:1%7D&audit_event=two`)
	require.NoError(t, err)
	assert.Equal(t, http.StatusTeapot, response.StatusCode)
	assert.Equal(t, []string{`{"a":1}`, "two"}, response.Header["X-Audit-Event"])
	assert.GreaterOrEqual(t, time.Since(started), 30*time.Millisecond)

	for _, query := range []string{"status=99", "status=x", "delay=soon"} {
		response, _, err = get(t, upstream.URL()+"/?"+query)
		require.NoError(t, err)
		assert.Equal(t, http.StatusBadRequest, response.StatusCode, query)
	}
	_, _, err = get(t, upstream.URL()+"/?reset=1")
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

func TestAnEmptyAnswerHasNoBody(t *testing.T) {
	response, body, err := get(t, newUpstream(t).URL()+"/?status=204")
	require.NoError(t, err)
	assert.Equal(t, http.StatusNoContent, response.StatusCode)
	assert.Empty(t, body)
}
