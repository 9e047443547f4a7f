//go:build wasip1

package main

import (
	"encoding/base64"
	"os"
	"strconv"
	"unsafe"
)

// steps are what a scenario does in each callback; the zero value continues.
type steps struct {
	onRequestHeaders, onRequestBody, onResponseHeaders, onResponseBody func(id, n, end uint32) uint32
	onLog                                                              func(id uint32)
}

func (s steps) requestHeaders(id, n, end uint32) uint32 { return run(s.onRequestHeaders, id, n, end) }
func (s steps) requestBody(id, n, end uint32) uint32    { return run(s.onRequestBody, id, n, end) }
func (s steps) responseHeaders(id, n, end uint32) uint32 {
	return run(s.onResponseHeaders, id, n, end)
}
func (s steps) responseBody(id, n, end uint32) uint32 { return run(s.onResponseBody, id, n, end) }

func (s steps) log(id uint32) {
	if s.onLog != nil {
		s.onLog(id)
	}
}

func run(f func(id, n, end uint32) uint32, id, n, end uint32) uint32 {
	if f == nil {
		return 0
	}
	return f(id, n, end)
}

func scenario(name string) steps {
	switch name {
	case "headers":
		return steps{onRequestHeaders: requestHeaderCalls, onResponseHeaders: responseHeaderCalls, onLog: logHeaders}
	case "inline":
		return steps{onRequestHeaders: inlineRequest, onResponseHeaders: inlineResponse, onRequestBody: inlineTrailers}
	case "setpairs":
		return steps{onRequestHeaders: setAllPairs}
	case "body":
		return steps{onRequestBody: bufferAll, onResponseHeaders: anyLength, onResponseBody: bufferAllResponse}
	case "trailers", "trailers-sent":
		return steps{onRequestBody: addTrailers, onResponseBody: addResponseTrailers}
	case "nobuffer":
		return steps{onRequestBody: keepAll}
	case "keep":
		return steps{onRequestBody: keepAndTick}
	case "props":
		return steps{onRequestHeaders: properties, onResponseHeaders: properties, onLog: func(id uint32) { properties(id, 0, 0) }}
	case "reply":
		return steps{onRequestHeaders: reply, onResponseHeaders: addToReply}
	case "reply-twice":
		return steps{onRequestHeaders: replyTwice, onResponseHeaders: addToReply}
	case "reply-in-response":
		return steps{onResponseHeaders: replyInResponse}
	case "reply-in-reply":
		return steps{onRequestHeaders: reply, onResponseHeaders: replyInResponse}
	case "reply-in-body":
		return steps{onResponseBody: replyInResponse}
	case "reply-in-request-body":
		return steps{onRequestBody: reply}
	case "reply-spaces":
		return steps{onRequestHeaders: replySpaces}
	case "reply-from-tick":
		return steps{onRequestHeaders: waitForTick, onResponseHeaders: addToReply}
	case "reply-empty":
		return steps{onRequestHeaders: replyEmpty}
	case "reply-grpc", "reply-grpc-status":
		return steps{onRequestHeaders: replyGRPC}
	case "shared":
		return steps{onRequestHeaders: sharedData}
	case "queue":
		return steps{onRequestHeaders: queues}
	case "metrics":
		return steps{onRequestHeaders: metrics}
	case "labels":
		return steps{onRequestHeaders: labels}
	case "misc":
		return steps{onRequestHeaders: misc}
	case "memory":
		return steps{onRequestHeaders: badMemory}
	case "tick":
		return steps{onRequestHeaders: waitForTick}
	case "foreign":
		return steps{onRequestHeaders: foreign}
	case "close":
		return steps{onRequestHeaders: closeStream}
	case "close-response":
		return steps{onResponseHeaders: closeResponse}
	case "continue-in-callback":
		return steps{onRequestHeaders: continueInCallback}
	case "call", "call-unknown", "call-headers", "call-dead", "call-nohosts", "call-timeout", "call-trailers":
		return steps{onRequestHeaders: func(id, _, _ uint32) uint32 { return call(id, name) }}
	case "grpc", "grpc-unknown", "grpc-unknown-message", "grpc-dead", "grpc-nohosts", "grpc-error", "grpc-timeout", "grpc-stream", "grpc-ids":
		return steps{onRequestHeaders: func(id, _, _ uint32) uint32 { return callGRPC(id, name) }}
	case "trap":
		return steps{onRequestHeaders: func(uint32, uint32, uint32) uint32 { panic("probe trap") }}
	}
	return steps{}
}

func requestHeaderCalls(uint32, uint32, uint32) uint32 {
	pairs, status := getPairs(requestHeaders)
	say("headers before", pairs, status)
	for _, name := range []string{"x-a", "X-A", "x-missing", "x-empty", "cookie", ":method", "authorization", "accept"} {
		v, status := getHeader(requestHeaders, name)
		say("headers get", name, []byte(v), status)
	}
	say("headers add", addHeader(requestHeaders, "x-a", "added"))
	say("headers add upper", addHeader(requestHeaders, "X-Upper", "u"))
	pairs, _ = getPairs(requestHeaders)
	say("headers after adds", pairs)
	say("headers replace", replaceHeader(requestHeaders, "x-a", "replaced"), replaceHeader(requestHeaders, "x-b", "new"))
	say("headers remove", removeHeader(requestHeaders, "x-upper"), removeHeader(requestHeaders, "x-missing"))
	pairs, _ = getPairs(requestHeaders)
	say("headers after", pairs)
	_, status = mapSize(requestHeaders)
	say("headers size", status)
	_, status = mapSize(responseHeaders)
	say("headers size of response", status)
	_, status = mapSize(8)
	say("headers size of map 8", status)
	for _, m := range []uint32{requestTrailers, responseHeaders, responseTrailers, grpcInitial, grpcTrailing, callHeaders, callTrailers, 8} {
		_, get := getHeader(m, "x")
		pairs, all := getPairs(m)
		say("headers map", m, get, pairs, all, addHeader(m, "x", "y"), replaceHeader(m, "x", "y"), removeHeader(m, "x"), setPairs(m, ""))
	}
	return 0
}

func responseHeaderCalls(uint32, uint32, uint32) uint32 {
	_, status := getHeader(requestHeaders, ":path")
	say("headers request in response", status, addHeader(requestHeaders, "x", "y"))
	pairs, status := getPairs(responseHeaders)
	say("headers response", pairs, status)
	say("headers response add", addHeader(responseHeaders, "x-out", "1"), addHeader(responseHeaders, "x-out", "2"))
	say("headers response replace", replaceHeader(responseHeaders, "x-up", "replaced"))
	pairs, _ = getPairs(responseHeaders)
	say("headers response after", pairs)
	return 0
}

// joined says whether two values of a name become one, and puts back what was
// there.
func joined(m uint32, name string) {
	was, status := getHeader(m, name)
	removeHeader(m, name)
	addHeader(m, name, "1")
	addHeader(m, name, "2")
	v, _ := getHeader(m, name)
	say("inline", m, name, []byte(v))
	removeHeader(m, name)
	if status == 0 {
		addHeader(m, name, was)
	}
}

var fieldNames = []string{
	":authority", ":method", ":path", ":protocol", ":scheme", ":status", "accept", "accept-charset", "accept-encoding", "accept-language",
	"access-control-allow-credentials", "access-control-allow-headers", "access-control-allow-methods", "access-control-allow-origin",
	"access-control-allow-private-network", "access-control-expose-headers", "access-control-max-age", "access-control-request-headers",
	"access-control-request-method", "access-control-request-private-network", "age", "authorization", "baggage", "cache-control",
	"connection", "content-disposition", "content-encoding", "content-language", "content-length", "content-type", "cookie", "date",
	"dnt", "etag", "expect", "expires", "forwarded", "from", "grpc-accept-encoding", "grpc-message", "grpc-status", "grpc-timeout",
	"host", "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "keep-alive", "last-modified", "link",
	"location", "origin", "pragma", "proxy-authenticate", "proxy-authorization", "proxy-connection", "proxy-status", "range", "referer",
	"retry-after", "sec-fetch-mode", "server", "set-cookie", "te", "traceparent", "tracestate", "trailer", "transfer-encoding", "upgrade",
	"user-agent", "vary", "via", "www-authenticate", "x-api-key", "x-b3-traceid", "x-client-trace-id", "x-envoy-attempt-count",
	"x-envoy-decorator-operation", "x-envoy-degraded", "x-envoy-downstream-service-cluster", "x-envoy-expected-rq-timeout-ms",
	"x-envoy-external-address", "x-envoy-immediate-health-check-fail", "x-envoy-internal", "x-envoy-max-retries", "x-envoy-original-path",
	"x-envoy-overloaded", "x-envoy-ratelimited", "x-envoy-retry-on", "x-envoy-upstream-rq-timeout-ms", "x-envoy-upstream-service-time",
	"x-forwarded-client-cert", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-ot-span-context",
	"x-ratelimit-limit", "x-real-ip", "x-request-id", "x-token",
}

func inlineRequest(uint32, uint32, uint32) uint32 {
	for _, name := range fieldNames {
		joined(requestHeaders, name)
	}
	return 0
}

func inlineResponse(uint32, uint32, uint32) uint32 {
	for _, name := range fieldNames {
		joined(responseHeaders, name)
	}
	return 0
}

func inlineTrailers(_, _, end uint32) uint32 {
	if end != 0 {
		for _, name := range []string{"grpc-status", "grpc-message", "authorization", "content-type", "x-a"} {
			joined(requestTrailers, name)
		}
	}
	return 0
}

func logHeaders(uint32) {
	v, status := getHeader(requestHeaders, "x-b")
	say("headers log request", v, status)
	v, status = getHeader(responseHeaders, "x-out")
	say("headers log response", v, status)
	_, status = getHeader(requestTrailers, "x")
	say("headers log request trailers", status)
	_, status = getHeader(responseTrailers, "x")
	say("headers log response trailers", status)
	say("headers log add", addHeader(requestHeaders, "x", "y"), addHeader(responseHeaders, "x", "y"))
	say("headers log set_property", setProperty("probe_state", "from log"))
}

func setAllPairs(uint32, uint32, uint32) uint32 {
	say("setpairs malformed", setPairs(requestHeaders, "\x01\x00\x00\x00"))
	pairs, _ := getPairs(requestHeaders)
	say("setpairs after malformed", pairs)
	say("setpairs", setPairs(requestHeaders, packPairs("x-one", "1", "x-forwarded-proto", "http", ":method", "GET", ":path", "/setpairs", ":authority", "a", ":scheme", "http", "X-Two", "2", "x-one", "3")))
	pairs, _ = getPairs(requestHeaders)
	say("setpairs after", pairs)
	return 0
}

func bufferAll(_, size, end uint32) uint32 {
	if end == 0 {
		return 1
	}
	n, status := bufferSize(requestBody)
	say("body request size is size", n == size, status)
	b, status := getBuffer(requestBody, 0, size)
	say("body all", b, status)
	b, status = getBuffer(requestBody, 2, 3)
	say("body part", b, status)
	b, status = getBuffer(requestBody, size+5, 3)
	say("body past end", b, status)
	b, status = getBuffer(requestBody, 2, ^uint32(0)-2)
	say("body huge", len(b), status)
	_, status = getBuffer(requestBody, 3, ^uint32(0)-1)
	say("body overflow", status)
	_, status = getBuffer(9, 0, 1)
	say("body buffer 9", status)
	_, status = getBuffer(responseBody, 0, 1)
	say("body response in request", status)
	for _, b := range []uint32{2, 3, 4, 5, 8} {
		_, get := getBuffer(b, 0, 1)
		say("body buffer", b, get, setBuffer(b, 0, 0, "x"))
	}
	say("body set vm config", setBuffer(vmConfigBuffer, 0, 0, "x"))
	say("body prepend", setBuffer(requestBody, 0, 0, "<"))
	say("body append", setBuffer(requestBody, ^uint32(0), 0, ">"))
	say("body inject", setBuffer(requestBody, 1, 0, "x"))
	say("body replace part", setBuffer(requestBody, 0, 1, "x"))
	b, _ = getBuffer(requestBody, 0, 1000)
	say("body after", b)
	say("body replace all", setBuffer(requestBody, 0, 1000, "replaced"))
	b, _ = getBuffer(requestBody, 0, 1000)
	say("body after", b)
	return 0
}

func anyLength(uint32, uint32, uint32) uint32 {
	removeHeader(responseHeaders, "content-length")
	return 0
}

func bufferAllResponse(_, size, end uint32) uint32 {
	if end == 0 {
		return 1
	}
	b, status := getBuffer(responseBody, 0, size)
	say("body response", b, status)
	say("body response set", setBuffer(responseBody, ^uint32(0), 0, " and more"))
	_, status = getBuffer(requestBody, 0, 1)
	say("body request in response", status)
	return 0
}

func addTrailers(_, _, end uint32) uint32 {
	if end != 0 {
		say("trailers add", addHeader(requestTrailers, "x-trailer", "t"))
	}
	return 0
}

func addResponseTrailers(_, _, end uint32) uint32 {
	if end != 0 {
		say("trailers add response", addHeader(responseTrailers, "x-trailer", "t"))
	}
	return 0
}

var kept string

func keepAll(_, size, end uint32) uint32 {
	b, _ := getBuffer(requestBody, 0, size)
	kept += string(b)
	if end == 0 {
		return 3
	}
	say("nobuffer kept", kept)
	say("nobuffer set", setBuffer(requestBody, 0, size, strconv.Itoa(len(kept))))
	kept = ""
	return 0
}

func keepAndTick(id, _, _ uint32) uint32 {
	say("keep tick period", proxySetTickPeriod(50))
	paused = id
	return 3
}

func properties(uint32, uint32, uint32) uint32 {
	for _, path := range [][]string{
		{"request", "path"}, {"request", "url_path"}, {"request", "query"}, {"request", "host"}, {"request", "scheme"}, {"request", "method"},
		{"request", "headers", "x-a"}, {"request", "headers", "x-missing"}, {"request", "useragent"}, {"request", "referer"},
		{"request", "protocol"}, {"request", "size"}, {"request", "missing"}, {"request"},
		{"response", "code"}, {"response", "code_details"}, {"response", "headers", "x-up"}, {"response", "size"}, {"response", "grpc_status"}, {"response", "flags"},
		{"connection", "mtls"}, {"connection", "requested_server_name"}, {"connection", "tls_version"},
		{"plugin_name"}, {"plugin_root_id"}, {"plugin_vm_id"}, {"plugin_name", "x"},
		{"xds", "route_name"}, {"xds", "cluster_name"}, {"xds", "virtual_host_name"}, {"route_name"}, {"cluster_name"},
		{"metadata", "filter_metadata", "probe", "string"}, {"metadata", "filter_metadata", "probe", "number"},
		{"metadata", "filter_metadata", "probe", "bool"}, {"metadata", "filter_metadata", "probe", "null"},
		{"metadata", "filter_metadata", "probe", "list"}, {"metadata", "filter_metadata", "probe", "list", "0"},
		{"metadata", "filter_metadata", "probe", "list", "7"}, {"metadata", "filter_metadata", "probe", "list", "x"},
		{"metadata", "filter_metadata", "probe", "mixed"}, {"metadata", "filter_metadata", "probe", "nested"},
		{"metadata", "filter_metadata", "probe", "deeper"}, {"metadata", "filter_metadata", "probe", "emptylist"}, {"metadata", "filter_metadata", "probe", "emptyobject"},
		{"metadata", "filter_metadata", "probe", "nested", "in.ner/x"}, {"metadata", "filter_metadata", "probe", "missing"},
		{"metadata", "filter_metadata", "probe", "string", "x"},
		{"metadata", "filter_metadata", "probe"}, {"metadata", "filter_metadata", "missing"}, {"metadata", "filter_metadata", "missing", "x"},
		{"probe_state"}, {"missing"}, {},
	} {
		v, status := getProperty(path...)
		words := []any{"props"}
		for _, p := range path {
			words = append(words, p)
		}
		say(append(words, v, status)...)
	}
	for _, path := range [][]string{{"source", "port"}, {"connection", "id"}, {"connection_id"}, {"destination", "port"}, {"request", "time"},
		{"request", "id"}, {"request", "duration"}, {"request", "total_size"}, {"request", "headers"}, {"response", "headers"}, {"upstream", "address"}} {
		v, status := getProperty(path...)
		say("props size", path[0], path[len(path)-1], len(v) > 0, status)
	}
	v, status := getProperty("source", "address")
	say("props source", len(v) > 10 && string(v[:10]) == "127.0.0.1:", status)
	say("props set", setProperty("probe_state", "a \"state\""), setProperty("plugin_name", "x"))
	v, status = getProperty("probe_state")
	say("props probe_state", v, status)
	v, status = getProperty("filter_state", "wasm.probe_state")
	say("props filter_state", v, status)
	v, status = getProperty("plugin_name")
	say("props plugin_name", v, status)
	return 0
}

func reply(id, _, _ uint32) uint32 {
	say(names[id], "reply", localResponse(403, "probe details here", "no", packPairs("x-reply", "1", "X-Reply", "2", "content-type", "application/json"), noGRPCStatus))
	v, status := getHeader(requestHeaders, ":method")
	say(names[id], "reply then read", v, status)
	return 0
}

func addToReply(id, _, _ uint32) uint32 {
	pairs, status := getPairs(responseHeaders)
	say(names[id], "reply headers", pairs, status)
	say(names[id], "reply add", addHeader(responseHeaders, "x-added", "yes"))
	v, status := getHeader(requestHeaders, ":method")
	say(names[id], "reply reads request", v, status)
	for _, path := range [][]string{{"response", "code"}, {"response", "code_details"}, {"request", "method"}} {
		v, status := getProperty(path...)
		say(names[id], "reply property", path[1], v, status)
	}
	return 0
}

func replyTwice(id, _, _ uint32) uint32 {
	say(names[id], "reply", localResponse(403, "first", "first", "", noGRPCStatus))
	say(names[id], "reply", localResponse(404, "second", "second", "", noGRPCStatus))
	return 0
}

func replyInResponse(id, _, _ uint32) uint32 {
	say(names[id], "reply", localResponse(502, "in_response", "replaced", packPairs("x-reply", "1"), noGRPCStatus))
	return 0
}

func replySpaces(uint32, uint32, uint32) uint32 {
	say("reply-spaces", localResponse(403, "  two  spaces\tand a tab ", "", "", noGRPCStatus))
	return 0
}

func replyEmpty(uint32, uint32, uint32) uint32 {
	say("reply-empty", localResponse(204, "", "", packPairs("content-type", "text/x"), noGRPCStatus))
	return 0
}

func replyGRPC(id, _, _ uint32) uint32 {
	status := noGRPCStatus
	if names[id] == "reply-grpc-status" {
		status = 9
	}
	say(names[id], localResponse(429, "d", "100% über", packPairs("x-reply", "1"), status))
	return 0
}

func sharedData(uint32, uint32, uint32) uint32 {
	v, cas, status := getShared("probe-missing")
	say("shared missing", []byte(v), cas, status)
	key := "probe-" + strconv.Itoa(runs)
	say("shared first write with a cas", setShared(key, "one", ^uint32(0)))
	say("shared create again", setShared(key, "two", ^uint32(0)))
	v, cas, status = getShared(key)
	say("shared read", []byte(v), cas != 0, status)
	say("shared write with cas", setShared(key, "three", cas))
	say("shared write with stale cas", setShared(key, "four", cas))
	say("shared overwrite", setShared(key, "", 0))
	v, newer, status := getShared(key)
	say("shared empty", []byte(v), newer > cas, status)
	say("shared empty key", setShared("", "x", 0))
	v, _, status = getShared("")
	say("shared empty key", []byte(v), status)
	return 0
}

// queued is how many items the scenario puts into its queue. It waits for as many
// notifications.
const queued = 3

func queues(id, _, _ uint32) uint32 {
	resolve := func(vmID, name string) (uint32, uint32) {
		var t uint32
		v, vn := str(vmID)
		k, kn := str(name)
		status := proxyResolveSharedQueue(v, vn, k, kn, ptr(&t))
		return t, status
	}
	_, status := resolve("", "probe-missing")
	say("queue resolve missing", status)
	var registered uint32
	k, kn := str("probe-queue")
	say("queue register", proxyRegisterSharedQueue(k, kn, ptr(&registered)), registered != 0)
	t1, status := resolve("", "probe-queue")
	t2, status2 := resolve("probe-vm", "probe-queue")
	say("queue resolve", t1 == registered, t1 == t2, status, status2)
	_, status = resolve("other", "probe-queue")
	say("queue resolve other vm", status)
	get := func(t uint32) ([]byte, uint32) {
		var r result
		p, n := r.at()
		status := proxyDequeueSharedQueue(t, p, n)
		return append([]byte(nil), r.bytes()...), status
	}
	_, status = get(t1)
	say("queue empty", status)
	_, status = get(9999)
	say("queue unknown", status)
	for _, item := range []string{"a", "", "b"} {
		v, n := str(item)
		say("queue enqueue", proxyEnqueueSharedQueue(t1, v, n))
	}
	v, n := str("x")
	say("queue enqueue unknown", proxyEnqueueSharedQueue(9999, v, n))
	for range queued + 1 {
		b, status := get(t1)
		say("queue dequeue", b, status)
	}
	paused = id
	return 1
}

func metrics(uint32, uint32, uint32) uint32 {
	counter, s1 := defineMetric(0, "probe_counter")
	gauge, s2 := defineMetric(1, "probe_gauge")
	histogram, s3 := defineMetric(2, "probe_histogram")
	_, s4 := defineMetric(3, "probe_other")
	say("metrics define", counter&3, gauge&3, histogram&3, s1, s2, s3, s4)
	again, _ := defineMetric(0, "probe_counter")
	say("metrics define again", again == counter, again-counter)
	say("metrics counter", proxyIncrementMetric(counter, 2), proxyIncrementMetric(again, 3), proxyIncrementMetric(counter, 0), proxyIncrementMetric(counter, -1), proxyRecordMetric(counter, 10))
	v, status := getMetric(counter)
	say("metrics counter value", v, status)
	say("metrics gauge", proxyIncrementMetric(gauge, 0), proxyRecordMetric(gauge, 5), proxyIncrementMetric(gauge, -2))
	v, status = getMetric(gauge)
	say("metrics gauge value", v, status)
	say("metrics histogram", proxyRecordMetric(histogram, 7), proxyIncrementMetric(histogram, 1))
	_, status = getMetric(histogram)
	say("metrics histogram value", status)
	for _, id := range []uint32{4000, 4001, 4002, 4003} {
		_, status = getMetric(id)
		say("metrics unknown", id, proxyIncrementMetric(id, 1), proxyRecordMetric(id, 1), status)
	}
	return 0
}

func labels(uint32, uint32, uint32) uint32 {
	for i, name := range []string{"probe_total.reason.expired.rule.a", "probe_total.reason.missing"} {
		id, _ := defineMetric(0, name)
		say("labels", proxyIncrementMetric(id, int64(i+1)))
	}
	return 0
}

func misc(id, _, _ uint32) uint32 {
	p, n := str("probe: misc direct")
	say("misc log", proxyLog(2, p, n), proxyLog(6, p, n))
	var level uint32
	say("misc log level", proxyGetLogLevel(ptr(&level)), level)
	var now, wall, mono, mono2 uint64
	say("misc time", proxyGetCurrentTime(ptr(&now)), now > 1e18)
	say("misc wasi time", wasiClockTimeGet(0, 1, ptr(&wall)), wall-now < 1e12, wasiClockTimeGet(1, 1, ptr(&mono)), mono > 0, wasiClockTimeGet(2, 1, ptr(&mono2)), wasiClockTimeGet(9, 1, ptr(&mono2)))
	say("misc effective", proxySetEffectiveContext(999999), proxySetEffectiveContext(id))
	say("misc done", proxyDone())
	code, msg, status := getStatus()
	say("misc status", code, []byte(msg), status)
	say("misc continue", proxyContinueStream(2), proxyContinueStream(3), proxyContinueStream(4))
	say("misc close", proxyCloseStream(2), proxyCloseStream(4))
	say("misc env", os.Getenv("PROBE"))
	return 0
}

func badMemory(uint32, uint32, uint32) uint32 {
	far := unsafe.Add(nil, uint32(0xfffffff0))
	k, kn := str("x-a")
	var r result
	p, n := r.at()
	say("memory log", proxyLog(2, far, 100))
	say("memory get_header", proxyGetHeaderMapValue(0, far, 100, p, n), proxyGetHeaderMapValue(0, k, kn, far, far))
	say("memory add", proxyAddHeaderMapValue(0, far, 100, k, kn), proxyAddHeaderMapValue(0, k, kn, far, 100))
	say("memory pairs", proxyGetHeaderMapPairs(0, far, far), proxySetHeaderMapPairs(0, far, 100))
	say("memory property", proxyGetProperty(far, 100, p, n), proxySetProperty(k, kn, far, 100))
	say("memory shared", proxyGetSharedData(far, 100, p, n, p), proxySetSharedData(k, kn, far, 100, 0))
	say("memory status", proxyGetStatus(far, p, n))
	say("memory time", proxyGetCurrentTime(far), wasiClockTimeGet(0, 1, far))
	say("memory metric", proxyDefineMetric(0, far, 100, p), proxyDefineMetric(0, k, kn, far))
	say("memory foreign", proxyCallForeignFunction(far, 100, k, kn, p, n), proxyCallForeignFunction(k, kn, far, 100, p, n))
	say("memory reply", proxySendLocalResponse(200, far, 100, k, kn, k, kn, 0))
	say("memory buffer", proxyGetBufferBytes(vmConfigBuffer, 0, 10, far, far))
	return 0
}

func waitForTick(id, _, _ uint32) uint32 {
	say("tick period", proxySetTickPeriod(50))
	paused = id
	return 1
}

func closeStream(uint32, uint32, uint32) uint32 {
	say("close", proxyCloseStream(0))
	return 1
}

func closeResponse(uint32, uint32, uint32) uint32 {
	say("close-response", proxyCloseStream(1))
	return 1
}

func continueInCallback(uint32, uint32, uint32) uint32 {
	say("continue-in-callback", proxyContinueStream(0))
	v, status := getHeader(requestHeaders, ":path")
	say("continue-in-callback", v, status)
	return 0
}

func foreign(uint32, uint32, uint32) uint32 {
	_, status := callForeign("probe_missing", "")
	say("foreign missing", status)
	b, status := callForeign("verify_signature", "junk")
	say("foreign junk", b, status)
	b, status = callForeign("verify_signature", "")
	say("foreign empty", b, status)
	for _, v := range signatureVectors {
		key, _ := base64.StdEncoding.DecodeString(v.key)
		sig, _ := base64.StdEncoding.DecodeString(v.signature)
		b, status := callForeign("verify_signature", signatureArgs(v.hash, string(key), string(sig), v.text))
		say("foreign", v.name, b, status)
	}
	return 0
}

func signatureArgs(fields ...string) string {
	var b []byte
	for i, f := range fields {
		b = append(b, byte((i+1)<<3|2))
		n := len(f)
		for n >= 0x80 {
			b = append(b, byte(n)|0x80)
			n >>= 7
		}
		b = append(append(b, byte(n)), f...)
	}
	return string(b)
}

func call(id uint32, name string) uint32 {
	headers := packPairs(":method", "POST", ":path", "/callout", ":authority", "callout.test", "x-call", name)
	var token, status uint32
	switch name {
	case "call":
		token, status = httpCall("upstream", headers, "ping", "", 5000)
	case "call-unknown":
		token, status = httpCall("unknown", headers, "", "", 5000)
	case "call-headers":
		for _, h := range []string{packPairs(":method", "GET", ":path", "/"), packPairs(":method", "GET", ":authority", "a"), packPairs(":path", "/", ":authority", "a"), ""} {
			_, status := httpCall("upstream", h, "", "", 5000)
			say(name, status)
		}
		_, status = httpCall("upstream", headers, "", "", 1<<31)
	case "call-dead":
		token, status = httpCall("dead", headers, "", "", 5000)
	case "call-nohosts":
		token, status = httpCall("nohosts", headers, "", "", 5000)
	case "call-timeout":
		token, status = httpCall("upstream", packPairs(":method", "GET", ":path", "/slow", ":authority", "a"), "", "", 100)
	case "call-trailers":
		token, status = httpCall("upstream", packPairs(":method", "GET", ":path", "/with-trailers", ":authority", "a"), "", "", 5000)
	}
	say(name, "http_call", token&3, token != 0, status)
	if status != 0 {
		return 0
	}
	paused = id
	return 1
}

func callGRPC(id uint32, name string) uint32 {
	const service = "probe.Probe"
	md := packPairs("x-md", "1")
	var token, status uint32
	switch name {
	case "grpc":
		token, status = grpcCall("grpc", service, "Echo", md, "hello", 5000)
	case "grpc-error":
		token, status = grpcCall("grpc", service, "Fail", md, "hello", 5000)
	case "grpc-timeout":
		token, status = grpcCall("grpc", service, "Slow", md, "hello", 100)
	case "grpc-unknown":
		token, status = grpcCall("unknown", service, "Echo", md, "hello", 5000)
	case "grpc-unknown-message":
		token, status = grpcCall("\x0a\x09\x0a\x07unknown", service, "Echo", md, "hello", 5000)
	case "grpc-dead":
		token, status = grpcCall("dead", service, "Echo", md, "hello", 5000)
	case "grpc-nohosts":
		token, status = grpcCall("nohosts", service, "Echo", md, "hello", 5000)
	case "grpc-ids":
		say(name, "cancel", proxyGRPCCancel(4), proxyGRPCCancel(4001), proxyGRPCCancel(4002))
		say(name, "close", proxyGRPCClose(4), proxyGRPCClose(4001), proxyGRPCClose(4002))
		say(name, "send", grpcSend(4, "", false), grpcSend(4001, "", false), grpcSend(4002, "", false))
		return 0
	case "grpc-stream":
		token, status = grpcStream("grpc", service, "Chat", md)
		if status == 0 {
			say(name, "send", grpcSend(token, "one", false), grpcSend(token, "two", true))
		}
	}
	say(name, "start", token&3, token != 0, status)
	if status != 0 {
		return 0
	}
	paused = id
	return 1
}
