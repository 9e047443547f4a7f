package audit

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAnEventsIDIsNeverCut(t *testing.T) {
	e := Event{Path: "/a-long-path-that-is-cut", Meta: Metadata{EventID: "0123456789abcdef-17"}}
	line := string(e.AppendJSON(nil, 16))
	assert.Contains(t, line, `"event_id":"0123456789abcdef-17"`)
	assert.Contains(t, line, `"path":"/a-long-path-tha"`)
}
