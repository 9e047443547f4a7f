package admin_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestEachPathHasOneSpellingAndItsOwnMethods(t *testing.T) {
	allowed := map[string]string{
		"/metrics": "GET", "/metrics/prometheus": "GET", "/metrics/reset": "POST", "/rate-limits": "DELETE",
		"/rate-limits/per-caller/user_id=main%2Falice": "GET, DELETE", "/rate-limits/per-caller/user_id=main/alice": "GET, DELETE",
		"/audit/heads": "GET", "/refusals": "GET", "/config": "GET", "/ready": "GET", "/stats": "GET",
	}
	w := newFleet().worker(t)
	for path, allow := range allowed {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", ""} {
			out := w.serve(method, path)
			if method != "" && strings.Contains(allow, method) {
				assert.Less(t, out.Status, 500, "%s %s", method, path)
				assert.Equal(t, method != "GET", out.Write, "%s %s", method, path)
				continue
			}
			assert.Equal(t, 405, out.Status, "%s %s", method, path)
			assert.Equal(t, allow, header(out, "allow"))
			assert.False(t, out.Write)
		}
	}
	for _, path := range []string{
		"", "/", "*", "metrics", "/metrics/", "//metrics", "/./metrics", "/x/../metrics", "/metrics/..", "/metrics?", "/metrics?x=1", "/metrics#x", "/%6detrics",
		"/METRICS", "/metrics%2Fprometheus", "/metrics\\prometheus", "/metrics;x", "/metrics\x00", "/config/", "/config.json", "http://127.0.0.1/metrics",
		"/rate-limits/", "/rate-limits/per-caller", "/rate-limits/per-caller/", "/rate-limits//user_id=main/alice", "/rate-limits/per-caller/user_id=main/alice?x",
		"/rate-limits/nope/user_id=main/alice", "/rate-limits/per%2Dcaller/user_id=main/alice", "/rate-limits/../config",
	} {
		out := w.serve("GET", path)
		assert.Equal(t, 404, out.Status, path)
		assert.JSONEq(t, string(out.Body), string(out.Body))
	}
}
