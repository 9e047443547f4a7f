package main

import "slices"

// unused are callbacks that the SDK exports and the filter leaves to its defaults, which do
// nothing.
var unused = []string{
	"proxy_on_response_body",
	"proxy_on_new_connection", "proxy_on_downstream_data", "proxy_on_downstream_connection_close",
	"proxy_on_upstream_data", "proxy_on_upstream_connection_close",
	"proxy_on_queue_ready",
}

// dropUnused removes the exports of callbacks that the filter has no use for, so that the proxy
// doesn't call them.
func dropUnused(m *sections) error {
	exports, err := m.exports()
	if err != nil {
		return err
	}
	return m.setExports(slices.DeleteFunc(exports, func(e export) bool { return slices.Contains(unused, e.name) }))
}
