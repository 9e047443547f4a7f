package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCheckSaysThatVulnerabilitiesWereNotChecked(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, check(t.Context(), &out, []string{"-db", "file:///nowhere"}))
	for _, program := range []string{"gatehouse", "gatehouse-filter"} {
		assert.Contains(t, out.String(), program+": vulnerabilities: not checked: ")
	}
	assert.NotContains(t, out.String(), "none known")
	assert.Equal(t, 2, strings.Count(out.String(), "fits the schema"))

	require.ErrorContains(t, check(t.Context(), &out, []string{"-db", "file:///nowhere", "-require-vulnerabilities"}), "not checked: ")
}
