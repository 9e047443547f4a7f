package admin_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"gatehouse/core/audit"
	"gatehouse/filter/internal/admin"
)

// openAPI is docs/admin-api.yaml.
type openAPI struct {
	OpenAPI string
	Paths   map[string]map[string]struct {
		Responses map[string]struct {
			Ref     string `yaml:"$ref"`
			Content map[string]any
		}
	}
	compiler *jsonschema.Compiler
}

func readOpenAPI(t *testing.T) *openAPI {
	t.Helper()
	text, err := os.ReadFile("../../../docs/admin-api.yaml")
	require.NoError(t, err)
	var api openAPI
	// Parameters are a list among the methods of a path.
	var doc map[string]any
	require.NoError(t, yaml.Unmarshal(text, &doc))
	for _, item := range doc["paths"].(map[string]any) {
		delete(item.(map[string]any), "parameters")
	}
	reduced, err := yaml.Marshal(doc)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(reduced, &api))
	asJSON, err := json.Marshal(doc)
	require.NoError(t, err)
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	require.NoError(t, err)
	api.compiler = jsonschema.NewCompiler() // OpenAPI 3.1's schemas are JSON Schema 2020-12
	api.compiler.AssertFormat()
	require.NoError(t, api.compiler.AddResource("api.json", value))
	return &api
}

// check holds a response to the description of its path and method.
func (api *openAPI) check(t *testing.T, method, path string, out admin.Response) {
	t.Helper()
	described := api.Paths[path][strings.ToLower(method)]
	status, escaped := strconv.Itoa(out.Status), strings.NewReplacer("~", "~0", "/", "~1").Replace(path)
	pointer := "api.json#/paths/" + escaped + "/" + strings.ToLower(method) + "/responses/" + status
	response, ok := described.Responses[status]
	switch {
	case !ok:
		pointer = "api.json#/components/responses/Failure"
	case len(response.Content) == 0:
		assert.Empty(t, out.Body, "%s %s %s", method, path, status)
		return
	}
	contentType, _, _ := strings.Cut(header(out, "content-type"), ";")
	if contentType == "text/plain" {
		assert.Contains(t, response.Content, contentType)
		return
	}
	require.Equal(t, "application/json", contentType)
	schema, err := api.compiler.Compile(pointer + "/content/application~1json/schema")
	require.NoError(t, err)
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(out.Body))
	require.NoError(t, err)
	assert.NoError(t, schema.Validate(value), "%s %s %s %s", method, path, status, out.Body)
}

// TestTheAPIIsAsItsDescriptionSays asks for every path of docs/admin-api.yaml with every method, in
// a state in which every answer has something to show, with and without what a request needs.
func TestTheAPIIsAsItsDescriptionSays(t *testing.T) {
	api := readOpenAPI(t)
	require.Equal(t, "3.1.0", api.OpenAPI)
	f := newFleet()
	w := f.worker(t)
	fill(w)
	methods := []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}
	for _, path := range slices.Sorted(maps.Keys(api.Paths)) {
		real := strings.NewReplacer("{rule}", "two", "{identifier}", "ip=192.0.2.1").Replace(path)
		for _, method := range methods {
			out := w.serve(method, real)
			_, described := api.Paths[path][strings.ToLower(method)]
			assert.Equal(t, described, out.Status != 405, "%s %s", method, path)
			_, listed := api.Paths[path][strings.ToLower(method)].Responses[strconv.Itoa(out.Status)]
			assert.Equal(t, described, listed, "%s %s %d", method, path, out.Status)
			api.check(t, method, path, out)

			r := w.request(method, real)
			r.Headers = nil
			out = w.api.Serve(r)
			assert.Equal(t, 401, out.Status)
			api.check(t, method, path, out)
		}
	}
	api.check(t, "GET", "/rate-limits/{rule}/{identifier}", w.serve("GET", "/rate-limits/two/nonsense"))
	api.check(t, "GET", "/rate-limits/{rule}/{identifier}", w.serve("GET", "/rate-limits/none/ip=192.0.2.1"))
	f.keys[0] = false
	api.check(t, "GET", "/ready", w.serve("GET", "/ready"))
	for _, path := range admin.Paths() { // nothing is left out
		assert.Contains(t, api.Paths, strings.Replace(path, "/rate-limits/", "/rate-limits/{rule}/{identifier}", 1))
	}
	assert.Len(t, admin.Paths(), len(api.Paths))
}

// fill gives every answer something to show.
func fill(w *worker) {
	w.values["gatehouse_tokens_validated_total"] = 3
	w.values["gatehouse_tokens_failed_total.reason.expired_token.provider.main"] = 1
	w.values["gatehouse_config_hash"] = 7
	w.api.Tick(w.now)
	w.feed.Look(w.now)
	w.feed.Validated(1500)
	w.feed.Head(audit.Head{KeyID: "k", Stream: "s", Seq: 3})
	event := audit.Event{Timestamp: 1_700_000_000_000_000_000, Type: audit.TypeAuthFailure, Path: "/x", Method: "GET", Status: 401}
	w.feed.Refused(event.AppendJSON(nil, 1024))
	w.feed.Share(1, func(yield func(string)) { yield("gatehouse_config_hash") })
}
