package ascii_test

import (
	"strings"
	"testing"

	"gatehouse/core/ascii"
)

// BenchmarkHasByte looks for a comma in a header with a token, which has none.
func BenchmarkHasByte(b *testing.B) {
	header := "Bearer " + strings.Repeat("eyJhbGciOiJSUzI1NiJ9", 40)
	b.SetBytes(int64(len(header)))
	for b.Loop() {
		if ascii.HasByte(header, ',') {
			b.Fatal("found")
		}
	}
}
