package proxy

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"gatehouse/hostsim"
)

// A host keeps what it may not pass on yet, without a limit: the source must wait.
func TestABodyThatTheFilterHoldsBackWaits(t *testing.T) {
	for name, c := range map[string]struct {
		flow func(*exchange) *flow
		free func(*exchange)
	}{
		"request passes":         {func(e *exchange) *flow { return &e.request }, func(e *exchange) { e.RequestHeaders(hostsim.H(), false) }},
		"request is answered":    {func(e *exchange) *flow { return &e.request }, func(e *exchange) { e.ResponseHeaders(hostsim.H(), false) }},
		"request's stream ends":  {func(e *exchange) *flow { return &e.request }, func(e *exchange) { e.Over(true) }},
		"response passes":        {func(e *exchange) *flow { return &e.response }, func(e *exchange) { e.ResponseHeaders(hostsim.H(), false) }},
		"response's stream ends": {func(e *exchange) *flow { return &e.response }, func(e *exchange) { e.Over(true) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newExchange()
				e.waitForRoom(c.flow(e), bufferBytes) // there is room for that much
				free := false
				go func() {
					e.waitForRoom(c.flow(e), bufferBytes+1)
					free = true
				}()
				synctest.Wait()
				assert.False(t, free)
				c.free(e)
				synctest.Wait()
				assert.True(t, free)
			})
		})
	}
}
