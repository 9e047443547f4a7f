//go:build wasip1

// Command probe is a filter that says what its host does. For a request to
// /NAME it runs the scenario of that name and logs each result; written against
// the ABI directly, it shows the host's own statuses, which an SDK would hide.
package main

import (
	"os"
	"strings"
)

func main() {}

// The map and buffer types of the ABI.
const (
	requestHeaders = iota
	requestTrailers
	responseHeaders
	responseTrailers
	grpcInitial
	grpcTrailing
	callHeaders
	callTrailers
)

const (
	requestBody    = 0
	responseBody   = 1
	callBody       = 4
	grpcMessage    = 5
	vmConfigBuffer = 6
	pluginConfig   = 7
)

const noGRPCStatus = ^uint32(0)

var (
	roots = map[uint32]bool{}
	// names are the scenarios of the streams.
	names = map[uint32]string{}
	// last is the scenario that ran last: callbacks of plugin contexts belong to
	// it.
	last   string
	paused uint32
	// pausedWay is which message of the paused stream a tick continues.
	pausedWay uint32
	// closesEarly says that the configuration wants each stream closed as soon as
	// its context is there.
	closesEarly bool
	// notified counts notifications of queues.
	notified int
	// runs counts a scenario's runs, for keys that are new each time.
	runs int
)

// rank says what kind of context an id is; the ids themselves are the host's
// business.
func rank(id uint32) string {
	if roots[id] {
		return "root"
	}
	return "stream"
}

//go:wasmexport proxy_on_context_create
func onContextCreate(id, parent uint32) {
	arena = nil
	if parent == 0 {
		roots[id] = true
	}
	say("context_create", rank(id), "parent", rank(parent))
	if closesEarly && !roots[id] {
		say("context_create close", proxyCloseStream(0))
	}
}

//go:wasmexport proxy_on_vm_start
func onVMStart(id, size uint32) uint32 {
	arena = nil
	b, status := getBuffer(vmConfigBuffer, 0, size)
	_, pluginStatus := getBuffer(pluginConfig, 0, 10)
	say("vm_start", rank(id), size, b, status, "plugin config", pluginStatus, "env", os.Getenv("PROBE"))
	return 1
}

//go:wasmexport proxy_on_configure
func onConfigure(id, size uint32) uint32 {
	arena = nil
	b, status := getBuffer(pluginConfig, 0, size)
	vm, vmStatus := getBuffer(vmConfigBuffer, 0, 100)
	n, sizeStatus := bufferSize(pluginConfig)
	say("configure", rank(id), size, b, status, "vm config", vm, vmStatus, "size", n, sizeStatus)
	for _, name := range []string{"plugin_name", "plugin_root_id", "plugin_vm_id"} {
		v, status := getProperty(name)
		say("configure", name, v, status)
	}
	say("configure request map", first(getPairs(requestHeaders)))
	say("configure set_property", setProperty("x", "y"))
	closesEarly = string(b) == "close"
	if string(b) == "tick" {
		proxySetTickPeriod(1000)
	}
	if string(b) == "call" {
		_, status := httpCall("upstream", packPairs(":method", "GET", ":path", "/", ":authority", "a"), "", "", 1000)
		say("configure http_call", status)
	}
	if strings.Contains(string(b), "refuse") {
		return 0
	}
	return 1
}

//go:wasmexport proxy_on_request_headers
func onRequestHeaders(id, n, end uint32) uint32 {
	arena = nil
	path, _ := getHeader(requestHeaders, ":path")
	name, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "?")
	names[id], last = name, name
	runs++
	say(name, "request_headers", n, end)
	return scenario(name).requestHeaders(id, n, end)
}

//go:wasmexport proxy_on_request_body
func onRequestBody(id, size, end uint32) uint32 {
	arena = nil
	return scenario(names[id]).requestBody(id, size, end)
}

//go:wasmexport proxy_on_request_trailers
func onRequestTrailers(id, n uint32) uint32 {
	arena = nil
	pairs, status := getPairs(requestTrailers)
	say(names[id], "request_trailers", n, pairs, status)
	return 0
}

//go:wasmexport proxy_on_response_headers
func onResponseHeaders(id, n, end uint32) uint32 {
	arena = nil
	say(names[id], "response_headers", n, end)
	return scenario(names[id]).responseHeaders(id, n, end)
}

//go:wasmexport proxy_on_response_body
func onResponseBody(id, size, end uint32) uint32 {
	arena = nil
	return scenario(names[id]).responseBody(id, size, end)
}

//go:wasmexport proxy_on_response_trailers
func onResponseTrailers(id, n uint32) uint32 {
	arena = nil
	pairs, status := getPairs(responseTrailers)
	say(names[id], "response_trailers", n, pairs, status)
	return 0
}

//go:wasmexport proxy_on_done
func onDone(id uint32) uint32 {
	arena = nil
	if !roots[id] {
		say(names[id], "done")
	}
	return 1
}

//go:wasmexport proxy_on_log
func onLog(id uint32) {
	arena = nil
	if _, ok := names[id]; !ok { // refused before it came here
		path, _ := getHeader(requestHeaders, ":path")
		names[id] = strings.TrimPrefix(path, "/")
	}
	code, s1 := getProperty("response", "code")
	details, s2 := getProperty("response", "code_details")
	say(names[id], "log code", code, s1, details, s2)
	scenario(names[id]).log(id)
}

//go:wasmexport proxy_on_delete
func onDelete(id uint32) {
	arena = nil
	if !roots[id] {
		say(names[id], "delete")
	}
	delete(names, id)
}

//go:wasmexport proxy_on_tick
func onTick(id uint32) {
	arena = nil
	if paused == 0 {
		say("tick", rank(id))
		return
	}
	proxySetTickPeriod(0)
	say(last, "tick", rank(id))
	say(last, "tick without effective context", first(getPairs(requestHeaders)))
	say(last, "effective", proxySetEffectiveContext(paused))
	say(last, "tick with effective context", first(getPairs(requestHeaders)))
	if last == "keep" {
		b, status := getBuffer(requestBody, 0, 100)
		say(last, "tick body", b, status)
	}
	if last == "reply-from-tick" {
		say(last, "reply", localResponse(403, "from_tick", "no", "", noGRPCStatus))
		say(last, "reply again", localResponse(404, "again", "never", "", noGRPCStatus))
		paused = 0
		return
	}
	say(last, "add header", addHeader(requestHeaders, "x-resumed", "yes"))
	say(last, "continue", proxyContinueStream(pausedWay))
	say(last, "add header after continue", addHeader(requestHeaders, "x-late", "yes"))
	paused = 0
}

//go:wasmexport proxy_on_http_call_response
func onHTTPCallResponse(id, token, headers, size, trailers uint32) {
	arena = nil
	code, msg, status := getStatus()
	pairs, pairsStatus := getPairs(callHeaders)
	body, bodyStatus := getBuffer(callBody, 0, 1000)
	tp, tpStatus := getPairs(callTrailers)
	say(last, "call_response", rank(id), token, headers, size, trailers)
	if code != 0 {
		say(last, "call status", code, msg, status)
	}
	say(last, "call headers", pairs, pairsStatus)
	say(last, "call body", body, bodyStatus)
	say(last, "call trailers", tp, tpStatus)
	say(last, "call write", replaceHeader(callHeaders, "a", "b"), setBuffer(callBody, 0, 0, "x"))
	resume()
}

// resume continues the paused stream.
func resume() {
	if paused != 0 {
		say(last, "effective", proxySetEffectiveContext(paused), "continue", proxyContinueStream(0))
		paused = 0
	}
}

//go:wasmexport proxy_on_grpc_receive_initial_metadata
func onGRPCInitialMetadata(id, token, n uint32) {
	arena = nil
	pairs, status := getPairs(grpcInitial)
	say(last, "grpc_initial_metadata", rank(id), token, n, pairs, status)
}

//go:wasmexport proxy_on_grpc_receive
func onGRPCReceive(id, token, size uint32) {
	arena = nil
	body, status := getBuffer(grpcMessage, 0, 1000)
	say(last, "grpc_receive", rank(id), token, size, body, status)
	if token&3 == 1 {
		say(last, "grpc cancel in receive", proxyGRPCCancel(token))
		resume()
	}
	if string(body) == "echo two" {
		say(last, "grpc send after close", proxyGRPCClose(token))
	}
}

//go:wasmexport proxy_on_grpc_receive_trailing_metadata
func onGRPCTrailingMetadata(id, token, n uint32) {
	arena = nil
	pairs, status := getPairs(grpcTrailing)
	say(last, "grpc_trailing_metadata", rank(id), token, n, pairs, status)
}

//go:wasmexport proxy_on_grpc_close
func onGRPCClose(id, token, code uint32) {
	arena = nil
	status, msg, s := getStatus()
	say(last, "grpc_close", rank(id), token, code, "status", status, msg, s)
	resume()
}

//go:wasmexport proxy_on_queue_ready
func onQueueReady(id, token uint32) {
	arena = nil
	say(last, "queue_ready", rank(id))
	if notified++; notified%queued == 0 {
		resume()
	}
}

func first[T any](v T, _ uint32) T { return v }
