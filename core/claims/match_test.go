package claims_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestHasAnyComparesTextNumbersAndBooleans(t *testing.T) {
	for _, c := range []struct {
		claim string
		value string
		want  bool
	}{
		{`"a"`, "a", true},
		{`"a"`, "A", false},
		{`"\u0061"`, "a", true},
		{`["b","a"]`, "a", true},
		{`["b",["a"]]`, "a", false},
		{`[]`, "a", false},
		{`true`, "true", true},
		{`"true"`, "true", true},
		{`false`, "true", false},
		{`[false,true]`, "true", true},
		{`1`, "1", true},
		{`1.0`, "1", true},
		{`1e0`, "1", true},
		{`1.5`, "1", false},
		{`1e999`, "1", false},
		{`null`, "null", false},
		{`[null]`, "null", false},
		{`{"a":1}`, "a", false},
		{`""`, "", false},
		{`null`, "", false},
		{`{}`, "", false},
	} {
		s := parse(t, `{"c":`+c.claim+`}`)
		assert.Equal(t, c.want, s.HasAny("c", []string{"z", c.value}), "%s, %q", c.claim, c.value)
		assert.False(t, s.HasAny("absent", []string{"z", c.value}), c.value)
		assert.False(t, s.HasAny("c", nil), c.claim)
	}
}
