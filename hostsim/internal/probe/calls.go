//go:build wasip1

package main

import (
	"encoding/base64"
	"os"
	"strconv"
	"unsafe"
)

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
	paused, pausedWay = id, 0
	return 1
}

func waitForTickInResponse(id, n, end uint32) uint32 {
	action := waitForTick(id, n, end)
	pausedWay = 1
	return action
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
