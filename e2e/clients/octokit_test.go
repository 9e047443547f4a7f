package clients_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"gatehouse/e2e/envoytest"
)

// Octokit doesn't read Retry-After of such a refusal. It waits until X-RateLimit-Reset, which it
// reads as a Unix time. A number of seconds would be long ago: it would retry too early.
func TestOctokitWaitsForAResetInUnixTime(t *testing.T) {
	config := strings.Replace(retryConfig, `"audit"`, `"limit_headers": ["x-ratelimit-epoch", "ratelimit"], "audit"`, 1)
	g := envoytest.Start(t, config, toUpstream(t))
	out := run(t, runNode(t, "with_octokit.mjs"), g.URL("gate", ""), g.Token(t, "octokit"))
	assert.Equal(t, []string{"200", "200", "200"}, strings.Fields(out))
	answered(t, g, "octokit", 200, 200, 429, 200)
}
