package e2e_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
	"gatehouse/cmd/testbed/toy"
)

// TestEnvoysLimitsOnHeadersLeaveNoGap sends as many and as large header fields as Envoy takes, most
// of them identity headers of the client's own. The gate's headers come on top: the request passes
// with them and without the client's, or not at all.
func TestEnvoysLimitsOnHeadersLeaveNoGap(t *testing.T) {
	t.Parallel()
	issuer, upstream := startIssuer(t, shippedIssuer), startUpstream(t)
	p := envoy.StartForTest(t, options(t, envoy.Endpoint("idp", issuer.Address()), envoy.Endpoint("upstream", upstream.Address())))
	token := sign(t, issuer, issuer.Human("alice", "orders", time.Hour))
	c := client()
	require.Equal(t, http.StatusOK, get(c, p.Address("gate"), "/", token).status)
	passed, refused := 0, 0
	for _, count := range []int{60, 85, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 120} {
		for _, size := range []int{10, 500, 700} {
			headers := []string{"Authorization", "Bearer " + token}
			for i := range count {
				name := fmt.Sprintf("X%sGatehouse%sForged-%d", string("-_.~+"[i%5]), string("-_."[i%3]), i)
				if i%5 == 4 {
					name = fmt.Sprintf("X-Other-%d", i)
				}
				headers = append(headers, name, strings.Repeat("f", size))
			}
			headers = append(headers, "X-Gatehouse-User-Id", "mallory", "X_Gatehouse_User_Id", "mallory")
			a := exchange(c, http.MethodGet, p.Address("gate"), "/", headers...)
			require.NoError(t, a.err)
			if a.status != http.StatusOK {
				assert.Equal(t, http.StatusRequestHeaderFieldsTooLarge, a.status, "%d fields of %d bytes", count, size)
				refused++
				continue
			}
			passed++
			var seen toy.Echo
			require.NoError(t, json.Unmarshal([]byte(a.body), &seen))
			assert.Equal(t, []string{"alice"}, seen.Header["X-Gatehouse-User-Id"])
			for name, values := range seen.Header {
				assert.NotContains(t, strings.ToLower(name), "forged")
				assert.NotContains(t, values, "mallory", name)
			}
		}
	}
	assert.Greater(t, passed, 10)
	assert.Greater(t, refused, 5)
}

// TestARefusalWaitsForNoBody sends headers that announce a body, and no body: whoever is refused
// holds nothing of the gate's.
func TestARefusalWaitsForNoBody(t *testing.T) {
	t.Parallel()
	issuer, upstream := startIssuer(t, shippedIssuer), startUpstream(t)
	p := envoy.StartForTest(t, options(t, envoy.Endpoint("idp", issuer.Address()), envoy.Endpoint("upstream", upstream.Address())))
	before := upstream.Requests()
	for range 200 {
		connection, err := net.Dial("tcp", p.Address("gate"))
		require.NoError(t, err)
		require.NoError(t, connection.SetDeadline(time.Now().Add(patience)))
		_, err = connection.Write([]byte("POST /account/me HTTP/1.1\r\nhost: gate\r\ncontent-length: 1000000\r\n\r\n"))
		require.NoError(t, err)
		answer := make([]byte, 12)
		_, err = connection.Read(answer)
		require.NoError(t, err)
		assert.Equal(t, "HTTP/1.1 401", string(answer))
		require.NoError(t, connection.Close())
	}
	assert.Equal(t, before, upstream.Requests())
}
