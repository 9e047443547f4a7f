// Package abi holds the constants and the byte formats of the Proxy-Wasm ABI,
// written from the specification (https://github.com/proxy-wasm/spec,
// abi-versions/v0.2.1) and not from any SDK, so that a mistake in an SDK shows
// up as a disagreement.
package abi

// Version is an ABI version that a module declares by exporting a marker
// function (spec v0.2.1, "Integration").
type Version int

// The versions this package knows. The zero value is no version at all.
const (
	VersionUnknown Version = iota
	Version010
	Version020
	Version021
)

// versionMarkers maps each marker export to its version.
var versionMarkers = map[string]Version{
	"proxy_abi_version_0_1_0": Version010,
	"proxy_abi_version_0_2_0": Version020,
	"proxy_abi_version_0_2_1": Version021,
}

// VersionOf returns the version that the marker export name declares, or
// VersionUnknown if name is not a marker.
func VersionOf(name string) Version { return versionMarkers[name] }

// String returns the version as the specification writes it, for example
// "0.2.1".
func (v Version) String() string {
	switch v {
	case Version010:
		return "0.1.0"
	case Version020:
		return "0.2.0"
	case Version021:
		return "0.2.1"
	}
	return "unknown"
}

// Status is what a host function returns (spec: proxy_status_t).
type Status uint32

// The statuses of the specification. BrokenConnection is not in the
// specification's list; Envoy reports it through proxy_get_status after a
// callout whose connection broke.
const (
	OK                   Status = 0
	NotFound             Status = 1
	BadArgument          Status = 2
	SerializationFailure Status = 3
	ParseFailure         Status = 4
	InvalidMemoryAccess  Status = 6
	Empty                Status = 7
	CasMismatch          Status = 8
	InternalFailure      Status = 10
	BrokenConnection     Status = 11
	Unimplemented        Status = 12
)

var statusNames = map[Status]string{
	OK:                   "OK",
	NotFound:             "NOT_FOUND",
	BadArgument:          "BAD_ARGUMENT",
	SerializationFailure: "SERIALIZATION_FAILURE",
	ParseFailure:         "PARSE_FAILURE",
	InvalidMemoryAccess:  "INVALID_MEMORY_ACCESS",
	Empty:                "EMPTY",
	CasMismatch:          "CAS_MISMATCH",
	InternalFailure:      "INTERNAL_FAILURE",
	BrokenConnection:     "BROKEN_CONNECTION",
	Unimplemented:        "UNIMPLEMENTED",
}

// String returns the specification's name of the status.
func (s Status) String() string {
	if n, ok := statusNames[s]; ok {
		return n
	}
	return "UNKNOWN"
}

// LogLevel is a severity (spec: proxy_log_level_t).
type LogLevel uint32

// The log levels, least severe first.
const (
	LogTrace LogLevel = iota
	LogDebug
	LogInfo
	LogWarn
	LogError
	LogCritical
)

var levelNames = [...]string{"trace", "debug", "info", "warn", "error", "critical"}

// String returns the level's name in lower case, as Envoy prints it.
func (l LogLevel) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return "off"
}

// MapType names a map of HTTP fields or gRPC metadata (spec: proxy_map_type_t).
type MapType uint32

// The maps.
const (
	MapRequestHeaders MapType = iota
	MapRequestTrailers
	MapResponseHeaders
	MapResponseTrailers
	MapGRPCInitialMetadata
	MapGRPCTrailingMetadata
	MapCallResponseHeaders
	MapCallResponseTrailers
	// MapTypes is the number of map types: larger values are unknown.
	MapTypes
)

// BufferType names a buffer (spec: proxy_buffer_type_t).
type BufferType uint32

// The buffers.
const (
	BufferRequestBody BufferType = iota
	BufferResponseBody
	BufferDownstreamData
	BufferUpstreamData
	BufferCallResponseBody
	BufferGRPCMessage
	BufferVMConfiguration
	BufferPluginConfiguration
	BufferForeignArguments
	// BufferTypes is the number of buffer types: larger values are unknown.
	BufferTypes
)

// StreamType names a direction of a stream (spec: proxy_stream_type_t).
type StreamType uint32

// The stream types.
const (
	StreamRequest StreamType = iota
	StreamResponse
	StreamDownstream
	StreamUpstream
	// StreamTypes is the number of stream types: larger values are unknown.
	StreamTypes
)

// MetricType is the kind of a metric (spec: proxy_metric_type_t).
type MetricType uint32

// The metric types.
const (
	MetricCounter MetricType = iota
	MetricGauge
	MetricHistogram
	// MetricTypes is the number of metric types: larger values are unknown.
	MetricTypes
)

// Action is what a stream callback returns (spec: proxy_action_t). Envoy reads
// it as its own filter status, whose further values are listed with each kind
// of callback.
type Action uint32

// The actions. Body callbacks may also return ActionPauseNoBuffer and
// ActionPauseWatermark, which are Envoy's and not in the specification: the host
// keeps nothing of the piece, or keeps it without a limit.
const (
	ActionContinue       Action = 0
	ActionPause          Action = 1
	ActionPauseWatermark Action = 2
	ActionPauseNoBuffer  Action = 3
)
