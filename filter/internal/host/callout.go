//go:build wasip1

package host

import (
	"strconv"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
)

// Answer is what an HTTP callout brought. Status is 0 when nothing came, or an answer past the proxy's own bounds; where there
// is no connection, the proxy itself answers 503, and 504 after the timeout.
type Answer struct {
	Status       int
	CacheControl string
	Body         []byte
	TooLarge     bool // the body was, and is left out
}

// Get sends a GET request through one of the proxy's clusters and calls done with the answer, whose body may have maxBody
// bytes. It must be called within a plugin's own context (Start, Tick): the SDK drops answers for streams that have ended.
// An error means that no request was sent, because there is no such cluster, nobody in it, or no room; done isn't called then.
func Get(cluster, scheme, authority, path string, timeoutMilliseconds uint32, maxBody int, done func(Answer)) error {
	headers := [][2]string{
		{":method", "GET"}, {":path", path}, {":authority", authority}, {":scheme", scheme},
		{"accept", "application/jwk-set+json, application/json"}, {"user-agent", "gatehouse"},
	}
	_, err := proxywasm.DispatchHttpCall(cluster, headers, nil, nil, timeoutMilliseconds, func(numHeaders, bodySize, _ int) {
		defer survive("an HTTP callout's answer")
		done(answer(numHeaders, bodySize, maxBody))
	})
	return err
}

func answer(numHeaders, bodySize, maxBody int) Answer {
	if numHeaders == 0 {
		return Answer{}
	}
	a := Answer{TooLarge: bodySize > maxBody}
	if status, ok := Header(CalloutHeaders, ":status"); ok {
		a.Status, _ = strconv.Atoi(status)
	}
	a.CacheControl, _ = Header(CalloutHeaders, "cache-control")
	if bodySize > 0 && !a.TooLarge {
		body, err := proxywasm.GetHttpCallResponseBody(0, bodySize)
		if err != nil {
			return Answer{}
		}
		a.Body = body
	}
	return a
}
