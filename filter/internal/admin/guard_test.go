package admin_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core"
	"gatehouse/filter/internal/admin"
)

func TestOnlyAnOperatorOnTheSameMachineIsAnswered(t *testing.T) {
	w := newFleet().worker(t)
	for name, test := range map[string]struct {
		status int
		change func(r *admin.Request)
	}{
		"as it should be":        {200, func(*admin.Request) {}},
		"over IPv6":              {200, func(r *admin.Request) { r.Destination = "[::1]:9902" }},
		"IPv4 on an IPv6 socket": {200, func(r *admin.Request) { r.Destination = "[::ffff:127.0.0.1]:9902" }},
		"scheme in lower case":   {200, func(r *admin.Request) { r.Headers[0].Value = "bearer " + token }},
		"another address":        {403, func(r *admin.Request) { r.Destination = "10.0.0.5:9902" }},
		"another IPv6 address":   {403, func(r *admin.Request) { r.Destination = "[fe80::1]:9902" }},
		"all addresses":          {403, func(r *admin.Request) { r.Destination = "0.0.0.0:9902" }},
		"a name":                 {403, func(r *admin.Request) { r.Destination = "127.evil.example:9902" }},
		"a Unix socket":          {403, func(r *admin.Request) { r.Destination = "/run/envoy.sock" }},
		"no address":             {403, func(r *admin.Request) { r.Destination = "" }},
		"a page": {403, func(r *admin.Request) {
			r.Headers = append(r.Headers, core.Header{Name: "origin", Value: "https://evil.example"})
		}},
		"an opaque origin":    {403, func(r *admin.Request) { r.Headers = append(r.Headers, core.Header{Name: "origin", Value: "null"}) }},
		"no token":            {401, func(r *admin.Request) { r.Headers = nil }},
		"an empty token":      {401, func(r *admin.Request) { r.Headers[0].Value = "Bearer " }},
		"another token":       {401, func(r *admin.Request) { r.Headers[0].Value = "Bearer " + strings.ToUpper(token) }},
		"the beginning of it": {401, func(r *admin.Request) { r.Headers[0].Value = "Bearer " + token[:31] }},
		"more than it":        {401, func(r *admin.Request) { r.Headers[0].Value = "Bearer " + token + " " }},
		"another scheme":      {401, func(r *admin.Request) { r.Headers[0].Value = "Basic " + token }},
		"the token alone":     {401, func(r *admin.Request) { r.Headers[0].Value = token }},
		"two authorizations":  {401, func(r *admin.Request) { r.Headers = append(r.Headers, r.Headers[0]) }},
		"a body":              {413, func(r *admin.Request) { r.Headers = append(r.Headers, core.Header{Name: "content-length", Value: "1"}) }},
		"a body of unknown length": {413, func(r *admin.Request) {
			r.Headers = append(r.Headers, core.Header{Name: "transfer-encoding", Value: "chunked"})
		}},
		"an empty body": {200, func(r *admin.Request) { r.Headers = append(r.Headers, core.Header{Name: "content-length", Value: "0"}) }},
		"a long path":   {414, func(r *admin.Request) { r.Path = "/rate-limits/per-caller/" + strings.Repeat("x", 9000) }},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.request("GET", "/metrics")
			test.change(r)
			out := w.api.Serve(r)
			assert.Equal(t, test.status, out.Status, "%s", out.Body)
			assert.False(t, out.Write)
			assert.Equal(t, "no-store", header(out, "cache-control"))
			assert.Equal(t, "application/json", header(out, "content-type"))
			assert.NotContains(t, string(out.Body), token)
			assert.Equal(t, test.status == 401, header(out, "www-authenticate") != "")
			if test.status != 200 {
				var body map[string]string
				require.NoError(t, json.Unmarshal(out.Body, &body))
				assert.NotEmpty(t, body["detail"])
			}
		})
	}
}
