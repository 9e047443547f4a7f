//go:build wasip1

package main

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
	case "tick-body":
		return steps{onRequestHeaders: waitForTick, onRequestBody: bufferAll}
	case "tick-close":
		return steps{onRequestHeaders: waitForTick, onRequestBody: closeStream}
	case "tick-body-response":
		return steps{onResponseHeaders: waitForTickInResponse, onResponseBody: bufferAllResponse}
	case "tick-close-response":
		return steps{onResponseHeaders: waitForTickInResponse, onResponseBody: closeResponse}
	case "foreign":
		return steps{onRequestHeaders: foreign}
	case "close":
		return steps{onRequestHeaders: closeStream}
	case "reply-close":
		return steps{onRequestHeaders: replyAndClose}
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
