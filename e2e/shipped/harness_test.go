// Package shipped_test tests the repository's envoy.yaml as it is.
package shipped_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

// patience bounds each wait for an event that must happen. It is generous because CI machines are
// slow.
const patience = 60 * time.Second

// shipped loads the repository's envoy.yaml.
func shipped(t *testing.T) envoy.Bootstrap {
	t.Helper()
	root, err := envoy.RepoRoot()
	require.NoError(t, err)
	b, err := envoy.Load(filepath.Join(root, "envoy.yaml"))
	require.NoError(t, err)
	return b
}

// start starts Envoy for a test, which ends it.
func start(t *testing.T, o envoy.Options) *envoy.Process {
	t.Helper()
	o.Binary = envoy.ForTest(t)
	p, err := envoy.Start(context.Background(), o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Stop()) })
	return p
}

// waiting is a context that ends with the test's patience.
func waiting(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
