package proxy_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/hostsim/proxy"
)

func TestARequestThatIsCutOffIsLoggedBeforeServeReturns(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		arrived := make(chan struct{})
		up := upstream(t, func(_ http.ResponseWriter, r *http.Request) {
			close(arrived)
			<-r.Context().Done()
		})
		p := start(t, up, func(o *proxy.Options) { o.DrainTimeout = time.Millisecond })
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/headers", nil)
		require.NoError(t, err)
		failed := make(chan error, 1)
		go func() {
			resp, err := client(h2).Do(req)
			if err == nil {
				_ = resp.Body.Close()
			}
			failed <- err
		}()
		<-arrived
		require.ErrorIs(t, p.stop(), context.DeadlineExceeded)
		assert.Equal(t, "from log\n", p.log.String())
		require.Error(t, <-failed)
	}
}
