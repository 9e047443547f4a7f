package clock_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"gatehouse/core/clock"
)

func TestSinceIsNeverNegative(t *testing.T) {
	m := clock.Mono(5 * clock.Second)
	assert.EqualValues(t, 2*clock.Second, m.Since(3*clock.Second))
	assert.Zero(t, m.Since(6*clock.Second), "another worker's reading may be later")
}

func TestAddMovesAMomentBothWays(t *testing.T) {
	m := clock.Mono(5 * clock.Second)
	assert.Equal(t, clock.Mono(7*clock.Second), m.Add(2*clock.Second))
	assert.Equal(t, clock.Mono(4*clock.Second), m.Add(-clock.Second))
}
