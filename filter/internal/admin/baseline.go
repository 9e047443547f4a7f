package admin

import (
	"encoding/binary"

	"gatehouse/core/clock"
	"gatehouse/core/metrics"
)

// baseline is what had been counted at the last reset. It is stored as
//
//	version 1 | started 8 | validated 8 | reasons 1 | per reason: length 1, word, count 8 | a metrics.Sketch
type baseline struct {
	started clock.Mono
	metrics.Snapshot
}

const baselineVersion = 1

func (b *baseline) encode() []byte {
	dst := text{baselineVersion}
	dst.binary(uint64(b.started))
	dst.binary(b.Validated)
	dst = append(dst, byte(len(b.Errors)))
	for _, e := range b.Errors {
		dst = append(dst, byte(len(e.Reason)))
		dst.add(e.Reason)
		dst.binary(e.Count)
	}
	return b.Durations.AppendBinary(dst)
}

//go:noinline
func (t *text) binary(n uint64) { *t = binary.LittleEndian.AppendUint64(*t, n) }

// decodeBaseline reads what encode wrote, and nothing else.
func decodeBaseline(data []byte) (b baseline, ok bool) {
	const header = 1 + 8 + 8 + 1
	if len(data) < header || data[0] != baselineVersion {
		return b, false
	}
	b.started = clock.Mono(binary.LittleEndian.Uint64(data[1:]))
	b.Validated = binary.LittleEndian.Uint64(data[9:])
	reasons := int(data[17])
	data = data[header:]
	for range reasons {
		if len(data) == 0 || len(data) < 1+int(data[0])+8 {
			return baseline{}, false
		}
		word, rest := data[1:1+data[0]], data[1+int(data[0]):]
		b.Errors = append(b.Errors, metrics.ErrorCount{Reason: string(word), Count: binary.LittleEndian.Uint64(rest)})
		data = rest[8:]
	}
	if b.Durations.Parse(data) != nil || b.started < 0 {
		return baseline{}, false
	}
	return b, true
}
