package metrics_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"gatehouse/core/metrics"
)

func TestTheNamesOfATableCanBeParsed(t *testing.T) {
	for _, naming := range []metrics.Naming{metrics.Envoy, metrics.Istio} {
		table := metrics.NewTable(naming, labels)
		for i := range table.Len() {
			want := table.Def(i)
			got, ok := metrics.ParseName(want.Full)
			assert.True(t, ok, want.Full)
			assert.Equal(t, want, got)
		}
	}
}

func TestOtherNamesAreRefused(t *testing.T) {
	for _, full := range []string{
		"", "gatehouse_", "x", "upstream_rq_total", "gatehouse_x.route", "gatehouse_x.route.a.b", "gatehouse_x.route.A", "gatehouse_x.Route.a",
		"gatehouse_x..a", "gatehouse_x.route.", "route=.=a;.;", "route=.=a;.;x", "route=.=a;.;gatehouse_x;.;", "gatehouse_x=.=y", "route=.=a=.=b;.;gatehouse_x",
		"gatehouse_\xff", "gatehouse_x.route.a b", "gatehouse_x.route.a\n",
	} {
		_, ok := metrics.ParseName(full)
		assert.False(t, ok && full != "gatehouse_", full)
	}
}
