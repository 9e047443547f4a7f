package proxy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"gatehouse/filter/internal/proxy"
)

func TestWhatEnvoyCallsABadArgumentIsSaidInTheOperatorsWords(t *testing.T) {
	assert.Equal(t, "no request can be sent: the proxy has no such cluster, or no address for it yet",
		proxy.Unsent(proxy.BadArgument))
	assert.Equal(t, "no request can be sent: internal failure", proxy.Unsent(proxy.InternalFailure))
}
