package ipaddr_test

import (
	"testing"

	"gatehouse/core/ipaddr"
)

func BenchmarkParse(b *testing.B) {
	for _, address := range []string{"192.0.2.17", "2001:db8::1:0:17", "::ffff:192.0.2.17"} {
		b.Run(address, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, ok := ipaddr.Parse(address); !ok {
					b.Fatal("refused")
				}
			}
		})
	}
}
