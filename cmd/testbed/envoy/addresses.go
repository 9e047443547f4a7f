package envoy

import (
	"cmp"
	"regexp"
	"slices"
)

// Clusters returns the first endpoint of each static cluster, "host:port" by the cluster's name.
func (b Bootstrap) Clusters() (map[string]string, error) {
	endpoints := map[string]string{}
	for _, c := range list(object(b["static_resources"])["clusters"]) {
		name, _ := object(c)["name"].(string)
		endpoint, err := b.EndpointOf(name)
		if err != nil {
			return nil, err
		}
		endpoints[name] = endpoint
	}
	return endpoints, nil
}

// HostEnv returns the names of the environment variables that Wasm VMs take from Envoy's own
// environment (host_env_keys), each once.
func (b Bootstrap) HostEnv() []string {
	var names []string
	onEveryObject(b, func(o map[string]any) {
		for _, name := range list(o["host_env_keys"]) {
			if name, ok := name.(string); ok {
				names = append(names, name)
			}
		}
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// hostPort finds a host and a port within a text.
var hostPort = regexp.MustCompile(`(?:\[[0-9A-Fa-f:]+\]|[0-9A-Za-z.-]+):[0-9]+`)

// MoveAddresses replaces addresses, "host:port", wherever a text of the configuration has one: in
// the filters' own configurations, in URIs. Endpoints are not texts; [Endpoint] moves them.
func MoveAddresses(moved map[string]string) Edit {
	return func(b Bootstrap) error {
		replaceTexts(map[string]any(b), func(text string) string {
			return hostPort.ReplaceAllStringFunc(text, func(address string) string { return cmp.Or(moved[address], address) })
		})
		return nil
	}
}

// replaceTexts replaces in every string below a node and returns what stands for the node.
func replaceTexts(node any, replace func(string) string) any {
	switch node := node.(type) {
	case map[string]any:
		for name, value := range node {
			node[name] = replaceTexts(value, replace)
		}
	case []any:
		for i, value := range node {
			node[i] = replaceTexts(value, replace)
		}
	case string:
		return replace(node)
	}
	return node
}
