package envoy

import (
	"context"
	"os"
)

// TB is the part of [testing.TB] that [ForTest] needs, so that the demo can use this package without linking package testing.
type TB interface {
	Helper()
	Context() context.Context
	Logf(format string, args ...any)
	Skip(args ...any)
	Fatal(args ...any)
}

// ForTest returns the Envoy for a test. It skips the test if GATEHOUSE_E2E=off and fails it, with a line that says what to install,
// if there is no Envoy.
func ForTest(t TB) Binary {
	t.Helper()
	if os.Getenv("GATEHOUSE_E2E") == "off" {
		t.Skip("GATEHOUSE_E2E=off")
	}
	b, err := Find(t.Context(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
