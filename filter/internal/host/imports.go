//go:build wasip1

package host

import "unsafe"

// The ABI's own signatures (proxy-wasm 0.2.1). Pointers go out as addresses in the module's linear
// memory.

//go:wasmimport env proxy_log
func proxyLog(level int32, data *byte, size int32) int32

//go:wasmimport env proxy_get_current_time_nanoseconds
func proxyGetCurrentTime(out *uint64) int32

//go:wasmimport wasi_snapshot_preview1 clock_time_get
func wasiClockTimeGet(id int32, precision int64, out *uint64) int32

//go:wasmimport wasi_snapshot_preview1 random_get
func wasiRandomGet(data *byte, size int32) int32

//go:wasmimport env proxy_get_header_map_pairs
func proxyGetHeaderMapPairs(kind int32, out unsafe.Pointer, size *int32) int32

//go:wasmimport env proxy_get_header_map_value
func proxyGetHeaderMapValue(kind int32, name *byte, nameSize int32, out unsafe.Pointer, size *int32) int32

//go:wasmimport env proxy_replace_header_map_value
func proxyReplaceHeaderMapValue(kind int32, name *byte, nameSize int32, value *byte, valueSize int32) int32

//go:wasmimport env proxy_remove_header_map_value
func proxyRemoveHeaderMapValue(kind int32, name *byte, nameSize int32) int32

//go:wasmimport env proxy_send_local_response
func proxySendLocalResponse(code int32, details *byte, detailsSize int32, body *byte, bodySize int32,
	headers *byte, headersSize int32, grpcStatus int32) int32

//go:wasmimport env proxy_get_property
func proxyGetProperty(path *byte, pathSize int32, out unsafe.Pointer, size *int32) int32

//go:wasmimport env proxy_set_property
func proxySetProperty(path *byte, pathSize int32, value *byte, valueSize int32) int32

//go:wasmimport env proxy_get_shared_data
func proxyGetSharedData(key *byte, keySize int32, out unsafe.Pointer, size *int32, cas *uint32) int32

//go:wasmimport env proxy_set_shared_data
func proxySetSharedData(key *byte, keySize int32, value *byte, valueSize int32, cas uint32) int32

//go:wasmimport env proxy_define_metric
func proxyDefineMetric(kind int32, name *byte, nameSize int32, id *uint32) int32

//go:wasmimport env proxy_increment_metric
func proxyIncrementMetric(id uint32, offset int64) int32

//go:wasmimport env proxy_record_metric
func proxyRecordMetric(id uint32, value uint64) int32

//go:wasmimport env proxy_get_metric
func proxyGetMetric(id uint32, value *uint64) int32

//go:wasmimport env proxy_call_foreign_function
func proxyCallForeignFunction(name *byte, nameSize int32, arg *byte, argSize int32, out unsafe.Pointer, size *int32) int32
