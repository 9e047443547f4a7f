//go:build wasip1

package main

import "strconv"

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

func replyAndClose(id, n, end uint32) uint32 {
	reply(id, n, end)
	return closeStream(id, n, end)
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
