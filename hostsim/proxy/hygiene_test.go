package proxy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"gatehouse/hostsim/proxy"
)

// arrived is a request as an upstream got it.
type arrived struct {
	Method, Host, Target, Body string
	Header, Trailer            http.Header
}

// mirror is an upstream that answers with the request that it got, as JSON.
func mirror(t *testing.T) string {
	t.Helper()
	return upstream(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		_ = json.NewEncoder(w).Encode(arrived{r.Method, r.Host, r.RequestURI, string(body), r.Header, r.Trailer})
	})
}

func readArrived(t *testing.T, body string) (a arrived) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(body), &a), body)
	return a
}

// unreached is an upstream that no request may reach.
func unreached(t *testing.T) string {
	t.Helper()
	return upstream(t, func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s reached the upstream", r.Method, r.RequestURI)
	})
}

func fieldLines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "x-%d: v\r\n", i)
	}
	return b.String()
}

func TestRequestsAreRefusedBeforeAnyFilterSeesThem(t *testing.T) {
	p := start(t, unreached(t), nil)
	for name, c := range map[string]struct {
		request string
		status  int
	}{
		"headers of 1 MB":                    {"GET /plain HTTP/1.1\r\nHost: a\r\nx-big: " + strings.Repeat("a", 1<<20) + "\r\n\r\n", 431},
		"headers of 61 KiB in all":           {"GET /plain HTTP/1.1\r\nHost: a\r\nx-1: " + strings.Repeat("a", 30<<10) + "\r\nx-2: " + strings.Repeat("a", 31<<10) + "\r\n\r\n", 431},
		"101 fields":                         {"GET /plain HTTP/1.1\r\nHost: a\r\n" + fieldLines(100) + "\r\n", 431},
		"a value of 20,000 fields":           {"GET /plain HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("x: v\r\n", 20000) + "\r\n", 431},
		"a folded line":                      {"GET /plain HTTP/1.1\r\nHost: a\r\nx-a: 1\r\n 2\r\n\r\n", 400},
		"a folded line that has a colon":     {"GET /plain HTTP/1.1\r\nHost: a\r\nx-a: 1\r\n\tauthorization: 2\r\n\r\n", 400},
		"a space before the first field":     {"GET /plain HTTP/1.1\r\n x-a: 1\r\nHost: a\r\n\r\n", 400},
		"a folded line of blanks":            {"GET /plain HTTP/1.1\r\nHost: a\r\nx-a: 1\r\n \r\n\r\n", 400},
		"length and chunks":                  {"POST /plain HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"chunks and length":                  {"POST /plain HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400},
		"two lengths that differ":            {"POST /plain HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400},
		"two lengths that agree":             {"POST /plain HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\ncontent-length: 4\r\n\r\nabcd", 400},
		"a length with a sign":               {"POST /plain HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nabcd", 400},
		"a list of lengths":                  {"POST /plain HTTP/1.1\r\nHost: a\r\nContent-Length: 4, 4\r\n\r\nabcd", 400},
		"another coding":                     {"POST /plain HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
		"two codings":                        {"POST /plain HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501},
		"a space before the colon":           {"GET /plain HTTP/1.1\r\nHost: a\r\nx-a : 1\r\n\r\n", 400},
		"a name with a parenthesis":          {"GET /plain HTTP/1.1\r\nHost: a\r\nx(a: 1\r\n\r\n", 400},
		"a name with a byte above 127":       {"GET /plain HTTP/1.1\r\nHost: a\r\nx\xc3\xa9: 1\r\n\r\n", 400},
		"a field without a name":             {"GET /plain HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n", 400},
		"a field without a colon":            {"GET /plain HTTP/1.1\r\nHost: a\r\nx-a\r\n\r\n", 400},
		"a value with NUL":                   {"GET /plain HTTP/1.1\r\nHost: a\r\nx-a: 1\x002\r\n\r\n", 400},
		"a value with CR":                    {"GET /plain HTTP/1.1\r\nHost: a\r\nx-a: 1\r2\r\n\r\n", 400},
		"no host":                            {"GET /plain HTTP/1.1\r\n\r\n", 400},
		"an empty host":                      {"GET /plain HTTP/1.1\r\nHost:\r\n\r\n", 400},
		"two hosts":                          {"GET /plain HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
		"HTTP/1.0":                           {"GET /plain HTTP/1.0\r\nHost: a\r\n\r\n", 426},
		"chunks in HTTP/1.0":                 {"POST /plain HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 426},
		"a target without a slash":           {"GET plain HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"a target of another scheme":         {"GET ftp://a/plain HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"a target that names nothing":        {"GET http:plain HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"a target with a user":               {"GET http://b@a/plain HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"a target with a fragment":           {"GET /plain#x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"an absolute target with a fragment": {"GET http://a/plain#x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"a target with a space":              {"GET /plain x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"a star with GET":                    {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"an unknown expectation":             {"GET /plain HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n", 417},
		"a tunnel":                           {"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 403},
	} {
		t.Run(name, func(t *testing.T) {
			resp, _ := exchangeRaw(t, p, c.request)
			assert.Equal(t, c.status, resp.StatusCode)
		})
	}
}

func TestRequestsWithinTheBoundsPass(t *testing.T) {
	p := start(t, mirror(t), nil)
	for name, c := range map[string]struct{ request, method, host, target string }{
		"99 fields and a host":        {"GET /plain HTTP/1.1\r\nHost: a\r\n" + fieldLines(99) + "\r\n", "GET", "a", "/plain"},
		"headers of 59 KiB":           {"GET /plain HTTP/1.1\r\nHost: a\r\nx-a: " + strings.Repeat("a", 59<<10) + "\r\n\r\n", "GET", "a", "/plain"},
		"a method of lower case":      {"get /plain HTTP/1.1\r\nHost: a\r\n\r\n", "get", "a", "/plain"},
		"an absolute target":          {"GET http://b/plain?x=1 HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "b", "/plain?x=1"},
		"an absolute target, no path": {"GET http://b HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "b", "/"},
		"quotes and bars":             {"GET /plain|\"<>^`{}\\?\"|=\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "a", "/plain|\"<>^`{}\\?\"|=\xc3\xa9"},
		"half an escape":              {"GET /plain%2f%41%zz HTTP/1.1\r\nHost: a\r\n\r\n", "", "", ""},
		"two slashes first":           {"GET //plain HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "a", "//plain"},
		"a question mark last":        {"GET /plain? HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "a", "/plain?"},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := exchangeRaw(t, p, c.request)
			if c.method == "" {
				assert.Equal(t, 400, resp.StatusCode)
				return
			}
			require.Equal(t, 200, resp.StatusCode)
			got := readArrived(t, body)
			assert.Equal(t, c.method, got.Method)
			assert.Equal(t, c.host, got.Host)
			assert.Equal(t, c.target, got.Target, "byte for byte what the filter judged")
		})
	}
}

func TestTheNextRequestsOfAConnectionAreHeldToTheSameRules(t *testing.T) {
	for name, first := range map[string]string{
		"no body":   "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n",
		"a length":  "POST /plain HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n\r\n x: 1",
		"chunks":    "POST /plain HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n7;ext=\"a\"\r\n\r\n x: 1\r\n0\r\n\r\n",
		"a trailer": "POST /plain HTTP/1.1\r\nHost: a\r\nTrailer: x-t\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-t: 1\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, r := dial(t, start(t, mirror(t), nil))
			_, err := io.WriteString(c, first+first+"GET /plain HTTP/1.1\r\nHost: a\r\nx-a: 1\r\n 2\r\n\r\n")
			require.NoError(t, err)
			for range 2 {
				resp, _ := readResponse(t, r)
				require.Equal(t, 200, resp.StatusCode)
			}
			resp, _ := readResponse(t, r)
			assert.Equal(t, 400, resp.StatusCode)
		})
	}
}

func TestARequestMayComeByteByByte(t *testing.T) {
	c, r := dial(t, start(t, mirror(t), nil))
	for _, b := range []byte("POST /plain HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n\r\n\r\n0\r\n\r\nGET /plain HTTP/1.1\r\nHost: a\r\nx: 1\r\n 2\r\n\r\n") {
		_, err := c.Write([]byte{b})
		require.NoError(t, err)
	}
	resp, body := readResponse(t, r)
	require.Equal(t, 200, resp.StatusCode)
	assert.Equal(t, "\r\n", readArrived(t, body).Body)
	resp, _ = readResponse(t, r)
	assert.Equal(t, 400, resp.StatusCode)
}

// RFC 9110, 7.6.1: an intermediary removes what Connection nominates.
func TestFieldsOfTheConnectionGoNoFurther(t *testing.T) {
	p := start(t, mirror(t), nil)
	resp, body := exchangeRaw(t, p, "GET /plain HTTP/1.1\r\nHost: a\r\nConnection: x-one, close\r\nConnection: X-Two ,,\r\n"+
		"x-one: 1\r\nX-TWO: 2\r\nx-three: 3\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\nTE: gzip\r\nUpgrade: h2c\r\n\r\n")
	require.Equal(t, 200, resp.StatusCode)
	got := readArrived(t, body).Header
	for _, name := range []string{"X-One", "X-Two", "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Upgrade"} {
		assert.NotContains(t, got, name)
	}
	assert.Equal(t, "3", got.Get("x-three"))
}

func TestFieldsOfTheUpstreamsConnectionGoNoFurther(t *testing.T) {
	up := rawUpstream(t, "HTTP/1.1 200 OK\r\nConnection: x-one\r\nX-One: 1\r\nKeep-Alive: timeout=5\r\nX-Two: 2\r\nContent-Length: 0\r\n\r\n")
	resp, _ := get(t, client(false), start(t, up, nil).url+"/plain")
	assert.NotContains(t, resp.Header, "X-One")
	assert.NotContains(t, resp.Header, "Keep-Alive")
	assert.Equal(t, "2", resp.Header.Get("x-two"))
}

func TestRequestTrailersReachTheUpstream(t *testing.T) {
	up := mirror(t)
	for _, h2 := range []bool{false, true} {
		for _, h2Upstream := range []bool{false, true} {
			for name, length := range map[string]int64{"with a length": 4, "without": -1} {
				if length >= 0 && !h2 {
					continue // HTTP/1 has trailers after chunks only
				}
				t.Run(fmt.Sprintf("HTTP/2 %t to %t %s", h2, h2Upstream, name), func(t *testing.T) {
					to := up
					if h2Upstream {
						to = strings.Replace(up, "http://", "h2c://", 1)
					}
					p := start(t, to, nil)
					req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/plain", io.NopCloser(strings.NewReader("body")))
					require.NoError(t, err)
					req.ContentLength = length
					req.Trailer = http.Header{"X-Sum": {"42"}, "X-Other": {"a", "b"}}
					resp, err := client(h2).Do(req)
					require.NoError(t, err)
					body, err := io.ReadAll(resp.Body)
					require.NoError(t, err)
					require.NoError(t, resp.Body.Close())
					got := readArrived(t, string(body))
					assert.Equal(t, "body", got.Body)
					assert.Equal(t, http.Header{"X-Sum": {"42"}, "X-Other": {"a", "b"}}, got.Trailer)
				})
			}
		}
	}
}

// exchangeHTTP2 sends a request without a body whose fields are as they stand, pseudo-fields first.
// It returns the response's status, and its body if that is not reset.
func exchangeHTTP2(t *testing.T, p *running, fields [][2]string) (status, body string) {
	t.Helper()
	c, r := dial(t, p)
	_, err := io.WriteString(c, http2.ClientPreface)
	require.NoError(t, err)
	framer := http2.NewFramer(c, r)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	require.NoError(t, framer.WriteSettings())
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range fields {
		require.NoError(t, encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
	}
	first := true
	for rest := block.Bytes(); first || len(rest) > 0; first = false {
		n := min(len(rest), 16<<10)
		if first {
			require.NoError(t, framer.WriteHeaders(http2.HeadersFrameParam{
				StreamID: 1, BlockFragment: rest[:n], EndStream: true, EndHeaders: n == len(rest),
			}))
		} else {
			require.NoError(t, framer.WriteContinuation(1, n == len(rest), rest[:n]))
		}
		rest = rest[n:]
	}
	for {
		f, err := framer.ReadFrame()
		require.NoError(t, err)
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			status = f.PseudoValue("status")
			if f.StreamEnded() {
				return status, body
			}
		case *http2.DataFrame:
			if body += string(f.Data()); f.StreamEnded() {
				return status, body
			}
		case *http2.RSTStreamFrame:
			return "reset", ""
		case *http2.GoAwayFrame:
			return "closed", ""
		}
	}
}

func TestHTTP2RequestsAreHeldToTheSameRules(t *testing.T) {
	p := start(t, mirror(t), nil)
	head := func(authority, path string, more ...[2]string) [][2]string {
		return append([][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", authority}, {":path", path}}, more...)
	}
	many := make([][2]string, 20000)
	for i := range many {
		many[i] = [2]string{"x", "v"}
	}
	for name, c := range map[string]struct {
		fields  [][2]string
		answers []string
	}{
		"20,000 fields":        {head("a", "/plain", many...), []string{"431", "closed"}},
		"101 fields":           {head("a", "/plain", many[:100]...), []string{"431"}},
		"headers of 1 MB":      {head("a", "/plain", [2]string{"x", strings.Repeat("a", 1<<20)}), []string{"431", "closed"}},
		"headers of 61 KiB":    {head("a", "/plain", [2]string{"x", strings.Repeat("a", 31<<10)}, [2]string{"y", strings.Repeat("a", 30<<10)}), []string{"431"}},
		"no authority":         {[][2]string{{":method", "GET"}, {":scheme", "http"}, {":path", "/plain"}}, []string{"400"}},
		"a fragment":           {head("a", "/plain#x"), []string{"400"}},
		"a field of HTTP/1":    {head("a", "/plain", [2]string{"connection", "x-a"}), []string{"400", "reset"}},
		"another te":           {head("a", "/plain", [2]string{"te", "gzip"}), []string{"400", "reset"}},
		"an upper-case name":   {head("a", "/plain", [2]string{"X-A", "1"}), []string{"400", "reset"}},
		"a line end in a name": {head("a", "/plain", [2]string{"x\r\na", "1"}), []string{"400", "reset"}},
		"a line end":           {head("a", "/plain", [2]string{"x-a", "1\r\nb: 2"}), []string{"400", "reset"}},
		"a path of a URL":      {head("a", "http://b/plain"), []string{"400", "reset"}},
		"a tunnel":             {[][2]string{{":method", "CONNECT"}, {":authority", "a:443"}}, []string{"403"}},
	} {
		t.Run(name, func(t *testing.T) {
			status, _ := exchangeHTTP2(t, p, c.fields)
			assert.Contains(t, c.answers, status)
		})
	}
	t.Run("a host beside the authority", func(t *testing.T) {
		status, body := exchangeHTTP2(t, p, head("a.example", "/plain", [2]string{"host", "b.example"}))
		require.Equal(t, "200", status)
		assert.Equal(t, "a.example", readArrived(t, body).Host)
	})
	t.Run("a method of lower case", func(t *testing.T) {
		status, body := exchangeHTTP2(t, p, append([][2]string{{":method", "delete"}}, head("a", "/plain")[1:]...))
		require.Equal(t, "200", status)
		assert.Equal(t, "delete", readArrived(t, body).Method, "the filter judges it, and the upstream gets it as it is")
	})
}

func TestAResponseIsGivenNoTypeThatTheUpstreamDidNotName(t *testing.T) {
	up := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		_, _ = io.WriteString(w, "<script>alert(1)</script>")
	})
	resp, _ := get(t, client(false), start(t, up, nil).url+"/plain")
	assert.NotContains(t, resp.Header, "Content-Type")
}

// rawUpstream answers each request with the same bytes.
func rawUpstream(t *testing.T, answer string) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 64<<10)
			_, _ = c.Read(buf)
			_, _ = io.WriteString(c, answer)
			t.Cleanup(func() { _ = c.Close() })
		}
	}()
	return "http://" + l.Addr().String()
}

func TestResponsesThatEnvoyDoesNotPassOnAreNotPassedOn(t *testing.T) {
	for name, answer := range map[string]string{
		"another protocol": "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"headers of 1 MB":  "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nx: " + strings.Repeat("a", 1<<20) + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, rawUpstream(t, answer), func(o *proxy.Options) { o.Timeout = patience })
			resp, _ := exchangeRaw(t, p, "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n")
			assert.Equal(t, 502, resp.StatusCode)
			assert.Empty(t, resp.Header.Get("x"))
		})
	}
}

func TestAnInterimResponseIsFollowedByTheFinalOne(t *testing.T) {
	p := start(t, rawUpstream(t, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), nil)
	resp, body := exchangeRaw(t, p, "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n")
	assert.Equal(t, 200, resp.StatusCode)
	assert.Equal(t, "ok", body)
}
