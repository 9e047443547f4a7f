package admin_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/config"
)

func TestReadyAndConfig(t *testing.T) {
	f := newFleet()
	w := f.worker(t)
	assert.Equal(t, map[string]any{"ready": true, "providers": []any{
		map[string]any{"name": "main", "ready": true}, map[string]any{"name": "other", "ready": true},
	}}, w.get("/ready"))
	f.keys[0] = false
	out := w.serve("GET", "/ready")
	assert.Equal(t, 503, out.Status)
	assert.JSONEq(t, `{"ready":false,"providers":[{"name":"main","ready":false},{"name":"other","ready":true}]}`, string(out.Body))

	shown := w.get("/config").(map[string]any)
	assert.Equal(t, "v1.2.3", shown["version"])
	assert.Equal(t, "enforce", shown["config"].(map[string]any)["mode"])
	assert.NotContains(t, fmt.Sprint(shown), token)
	assert.NotContains(t, fmt.Sprint(shown), "c2VjcmV0")
	cfg, err := config.Parse([]byte(document), nil)
	require.NoError(t, err)
	assert.EqualValues(t, cfg.Hash, shown["config_hash"])
}
