package envoy

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheLineThatTellsWhyAStartFailed(t *testing.T) {
	const (
		info    = "[2026-01-01 00:00:00.000][1][info][main] [server.cc:467]   envoy.wasm: envoy.wasm.runtime.v8\n"
		plugin  = "[2026-01-01 00:00:00.000][1][error][wasm] [context.cc:1157] wasm log gatehouse: routes: required\n"
		debug   = "[2026-01-01 00:00:00.000][1][debug][wasm] [context.cc:1157] wasm log gatehouse: hello\n"
		failed  = "[2026-01-01 00:00:00.000][1][critical][wasm] [wasm.cc:626] Plugin gate failed to load\n"
		invalid = "[2026-01-01 00:00:00.000][1][critical][main] [server.cc:449] error `no such field`\n"
	)
	for _, test := range []struct{ name, log, want string }{
		{"the plugin's error", info + debug + plugin + failed + invalid, plugin},
		{"else the last critical line", info + debug + failed + invalid, invalid},
		{"else how the process ended", info + debug, "exit status 1\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			log := newLog(nil)
			_, _ = io.WriteString(log, test.log)
			err := startError(log, "exit status 1")
			assert.Equal(t, test.want, err.Line+"\n")
			assert.Equal(t, "envoy did not start: "+err.Line, err.Error())
			assert.Equal(t, test.log, err.Log+"\n")
		})
	}
}

func TestALogIsCutIntoLinesWhereverWritesEnd(t *testing.T) {
	var seen []string
	log := newLog(func(line string) { seen = append(seen, line) })
	for _, part := range []string{"a", "b\nc\n\nd", "e"} {
		_, _ = io.WriteString(log, part)
	}
	assert.Equal(t, []string{"ab", "c", ""}, log.Lines())
	assert.Equal(t, log.Lines(), seen)
	log.end()
	assert.Equal(t, "ab\nc\n\nde", log.String())
}

func TestWaitSeesLinesThatComeLater(t *testing.T) {
	log := newLog(nil)
	found := make(chan string)
	go func() {
		line, _, err := log.Wait(context.Background(), 0, func(line string) bool { return line == "late" })
		if err != nil {
			line = err.Error()
		}
		found <- line
	}()
	_, _ = io.WriteString(log, "early\n")
	_, _ = io.WriteString(log, "late\n")
	assert.Equal(t, "late", <-found)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := log.Wait(ctx, 0, func(string) bool { return false })
	require.ErrorIs(t, err, context.Canceled)
}
