//go:build wasip1

package main

import "unsafe"

type ptr = unsafe.Pointer

//go:wasmimport env proxy_log
func proxyLog(level uint32, msg ptr, size uint32) uint32

//go:wasmimport env proxy_get_log_level
func proxyGetLogLevel(level ptr) uint32

//go:wasmimport env proxy_get_current_time_nanoseconds
func proxyGetCurrentTime(now ptr) uint32

//go:wasmimport env proxy_set_tick_period_milliseconds
func proxySetTickPeriod(period uint32) uint32

//go:wasmimport env proxy_set_effective_context
func proxySetEffectiveContext(id uint32) uint32

//go:wasmimport env proxy_done
func proxyDone() uint32

//go:wasmimport env proxy_get_status
func proxyGetStatus(code, msg, size ptr) uint32

//go:wasmimport env proxy_get_property
func proxyGetProperty(path ptr, pathSize uint32, value, size ptr) uint32

//go:wasmimport env proxy_set_property
func proxySetProperty(path ptr, pathSize uint32, value ptr, size uint32) uint32

//go:wasmimport env proxy_get_buffer_bytes
func proxyGetBufferBytes(buffer, start, length uint32, value, size ptr) uint32

//go:wasmimport env proxy_get_buffer_status
func proxyGetBufferStatus(buffer uint32, size, flags ptr) uint32

//go:wasmimport env proxy_set_buffer_bytes
func proxySetBufferBytes(buffer, start, length uint32, value ptr, size uint32) uint32

//go:wasmimport env proxy_get_header_map_size
func proxyGetHeaderMapSize(m uint32, size ptr) uint32

//go:wasmimport env proxy_get_header_map_pairs
func proxyGetHeaderMapPairs(m uint32, value, size ptr) uint32

//go:wasmimport env proxy_set_header_map_pairs
func proxySetHeaderMapPairs(m uint32, value ptr, size uint32) uint32

//go:wasmimport env proxy_get_header_map_value
func proxyGetHeaderMapValue(m uint32, key ptr, keySize uint32, value, size ptr) uint32

//go:wasmimport env proxy_add_header_map_value
func proxyAddHeaderMapValue(m uint32, key ptr, keySize uint32, value ptr, size uint32) uint32

//go:wasmimport env proxy_replace_header_map_value
func proxyReplaceHeaderMapValue(m uint32, key ptr, keySize uint32, value ptr, size uint32) uint32

//go:wasmimport env proxy_remove_header_map_value
func proxyRemoveHeaderMapValue(m uint32, key ptr, keySize uint32) uint32

//go:wasmimport env proxy_continue_stream
func proxyContinueStream(stream uint32) uint32

//go:wasmimport env proxy_close_stream
func proxyCloseStream(stream uint32) uint32

//go:wasmimport env proxy_send_local_response
func proxySendLocalResponse(status uint32, details ptr, detailsSize uint32, body ptr, bodySize uint32,
	headers ptr, headersSize uint32, grpcStatus uint32) uint32

//go:wasmimport env proxy_get_shared_data
func proxyGetSharedData(key ptr, keySize uint32, value, size, cas ptr) uint32

//go:wasmimport env proxy_set_shared_data
func proxySetSharedData(key ptr, keySize uint32, value ptr, size, cas uint32) uint32

//go:wasmimport env proxy_register_shared_queue
func proxyRegisterSharedQueue(name ptr, nameSize uint32, token ptr) uint32

//go:wasmimport env proxy_resolve_shared_queue
func proxyResolveSharedQueue(vmID ptr, vmIDSize uint32, name ptr, nameSize uint32, token ptr) uint32

//go:wasmimport env proxy_enqueue_shared_queue
func proxyEnqueueSharedQueue(token uint32, value ptr, size uint32) uint32

//go:wasmimport env proxy_dequeue_shared_queue
func proxyDequeueSharedQueue(token uint32, value, size ptr) uint32

//go:wasmimport env proxy_define_metric
func proxyDefineMetric(kind uint32, name ptr, nameSize uint32, id ptr) uint32

//go:wasmimport env proxy_increment_metric
func proxyIncrementMetric(id uint32, delta int64) uint32

//go:wasmimport env proxy_record_metric
func proxyRecordMetric(id uint32, value uint64) uint32

//go:wasmimport env proxy_get_metric
func proxyGetMetric(id uint32, value ptr) uint32

//go:wasmimport env proxy_http_call
func proxyHTTPCall(cluster ptr, clusterSize uint32, headers ptr, headersSize uint32, body ptr, bodySize uint32,
	trailers ptr, trailersSize uint32, timeout uint32, token ptr) uint32

//go:wasmimport env proxy_grpc_call
func proxyGRPCCall(upstream ptr, upstreamSize uint32, service ptr, serviceSize uint32, method ptr, methodSize uint32,
	metadata ptr, metadataSize uint32, msg ptr, msgSize uint32, timeout uint32, token ptr) uint32

//go:wasmimport env proxy_grpc_stream
func proxyGRPCStream(upstream ptr, upstreamSize uint32, service ptr, serviceSize uint32, method ptr, methodSize uint32,
	metadata ptr, metadataSize uint32, token ptr) uint32

//go:wasmimport env proxy_grpc_send
func proxyGRPCSend(token uint32, msg ptr, size uint32, endOfStream uint32) uint32

//go:wasmimport env proxy_grpc_cancel
func proxyGRPCCancel(token uint32) uint32

//go:wasmimport env proxy_grpc_close
func proxyGRPCClose(token uint32) uint32

//go:wasmimport env proxy_call_foreign_function
func proxyCallForeignFunction(name ptr, nameSize uint32, args ptr, argsSize uint32, result, size ptr) uint32

//go:wasmimport wasi_snapshot_preview1 clock_time_get
func wasiClockTimeGet(id uint32, precision uint64, now ptr) uint32
