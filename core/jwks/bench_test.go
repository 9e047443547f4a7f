package jwks_test

import (
	"strings"
	"testing"

	"gatehouse/core/jwks"
)

// BenchmarkAppendBase64URL decodes as much as the claims of a token.
func BenchmarkAppendBase64URL(b *testing.B) {
	text := strings.Repeat("eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIn0_", 16)
	buffer := make([]byte, 0, len(text))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jwks.AppendBase64URL(buffer, text); err != nil {
			b.Fatal(err)
		}
	}
}
