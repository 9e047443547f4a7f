package caller_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"gatehouse/core/caller"
)

func TestARequirementAdmitsItsOwnKindAndAnyAdmitsAll(t *testing.T) {
	for _, kind := range caller.Kinds() {
		assert.True(t, caller.Any.Admits(kind), kind.String())
		for _, required := range []caller.Kind{caller.Human, caller.Machine, caller.Anonymous} {
			assert.Equal(t, required == kind, required.Admits(kind), "%s for %s", kind, required)
		}
	}
}

func TestAConfigurationNamesEachKindButUnknown(t *testing.T) {
	for _, kind := range []caller.Kind{caller.Human, caller.Machine, caller.Anonymous, caller.Any} {
		parsed, ok := caller.ParseKind(kind.String())
		assert.True(t, ok, kind.String())
		assert.Equal(t, kind, parsed)
	}
	for _, word := range []string{"", "unknown", "Human", "robot"} {
		_, ok := caller.ParseKind(word)
		assert.False(t, ok, word)
	}
}
