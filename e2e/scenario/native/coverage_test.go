package native_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/audit"
	"gatehouse/core/caller"
	"gatehouse/core/config"
	"gatehouse/core/reason"
	"gatehouse/e2e/scenario"
)

func load(t *testing.T) []*scenario.Scenario {
	t.Helper()
	all, err := scenario.Load("../../testdata/scenarios")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(all), 60)
	return all
}

// TestEveryFieldOfTheConfigurationIsInAScenario takes the fields from the table that the parser,
// the schema and the reference are made from.
func TestEveryFieldOfTheConfigurationIsInAScenario(t *testing.T) {
	used := map[string]bool{}
	for _, s := range load(t) {
		doc, err := s.PluginConfig([]byte(`{"keys":[]}`))
		require.NoError(t, err)
		var value any
		require.NoError(t, json.Unmarshal(doc, &value))
		collect(config.Fields(), value, "", used)
	}
	wanted := map[string]bool{}
	fields(config.Fields(), "", wanted)
	require.Greater(t, len(wanted), 60)
	for field := range wanted {
		if file := testedElsewhere(field); file != "" {
			assert.False(t, used[field], "a scenario has %s: it is no longer tested elsewhere alone", field)
			assert.FileExists(t, "../../../"+file, field)
			continue
		}
		assert.True(t, used[field], "no scenario has %s", field)
	}
}

// elsewhere are fields that scenarios can't have, with all below them, and the file of their test.
var elsewhere = map[string]string{
	".admin":                             "e2e/admin_test.go", // another role than a gate's
	".audit.http":                        "e2e/auditsink_test.go",
	".tokens.providers[].jwks.discovery": "filter/internal/keys/discovery_test.go",
}

func testedElsewhere(field string) (file string) {
	for prefix, file := range elsewhere {
		if rest, ok := strings.CutPrefix(field, prefix); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return file
		}
	}
	return ""
}

// fields lists the paths of all fields. A field with a closed list of values has an entry
// PATH=VALUE for each.
func fields(s *config.Shape, path string, into map[string]bool) {
	for _, value := range s.Enum {
		into[path+"="+value] = true
	}
	for _, f := range s.Fields {
		into[path+"."+f.Name] = true
		fields(f.Shape, path+"."+f.Name, into)
	}
	if s.Element != nil {
		fields(s.Element, path+"[]", into)
	}
	for _, either := range s.Either {
		fields(either, path, into)
	}
}

// collect lists the fields and values that a configuration has.
func collect(s *config.Shape, value any, path string, into map[string]bool) {
	switch value := value.(type) {
	case string:
		into[path+"="+value] = true
	case []any:
		for _, element := range value {
			if s.Element != nil {
				collect(s.Element, element, path+"[]", into)
			}
		}
	case map[string]any:
		for _, f := range s.Fields {
			if member, ok := value[f.Name]; ok {
				into[path+"."+f.Name] = true
				collect(f.Shape, member, path+"."+f.Name, into)
			}
		}
		if s.Type == config.Map {
			for _, member := range value {
				collect(s.Element, member, path+"[]", into)
			}
		}
	}
	for _, either := range s.Either {
		collect(either, value, path, into)
	}
}

// seen are the scenarios' expectations.
type seen struct {
	reasons, details, events, callers, wouldBe map[string]bool
}

func expectations(t *testing.T) seen {
	t.Helper()
	s := seen{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}}
	for _, sc := range load(t) {
		for i := range sc.Steps {
			e := sc.Steps[i].Expect
			s.reasons[e.Reason], s.details[e.Reason+": "+e.Detail], s.events[e.Event] = true, true, true
			s.callers[sc.Kind(e.Who)] = true
			if len(e.Custom) > 0 {
				s.events[audit.TypeCustom.String()] = true
			}
			if word, ok := e.Metadata["would_be"].(string); ok {
				s.wouldBe[word] = true
			}
		}
	}
	return s
}

func TestEveryReasonIsInAScenario(t *testing.T) {
	s := expectations(t)
	for r := reason.MissingToken; r < reason.Count; r++ {
		assert.True(t, s.details[r.String()+": "+r.Detail()], "no scenario is refused for %s with %q", r, r.Detail())
		delete(s.reasons, r.String())
	}
	delete(s.reasons, "")
	assert.Empty(t, s.reasons, "reasons that there are not")
	assert.Greater(t, len(s.wouldBe), 3)
}

func TestEveryTypeOfEventIsInAScenario(t *testing.T) {
	s := expectations(t)
	for _, kind := range []audit.Type{audit.TypeAuthSuccess, audit.TypeAuthFailure, audit.TypeAccessDenied, audit.TypeRateLimited,
		audit.TypeRequest, audit.TypeRequestError, audit.TypeCustom} { // admin_action is the admin API's
		assert.True(t, s.events[kind.String()], "no scenario causes %s", kind)
	}
	assert.True(t, s.events["none"], "no scenario causes no event")
}

func TestEveryKindOfCallerIsInAScenario(t *testing.T) {
	s := expectations(t)
	for _, kind := range []caller.Kind{caller.Human, caller.Machine, caller.Unknown, caller.Anonymous} {
		assert.True(t, s.callers[kind.String()], "no scenario has a caller that is %s", kind)
	}
}
