package envoy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bootstrap is an Envoy configuration as a tree of map[string]any, []any, strings, numbers and
// booleans, to be edited before a start.
type Bootstrap map[string]any

// Edit changes a configuration before Envoy sees it. Its error ends the start.
type Edit func(Bootstrap) error

// Load reads an Envoy configuration in YAML or JSON. Aliases are resolved: every use is a copy of
// its own.
func Load(path string) (Bootstrap, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var b Bootstrap
	if err := yaml.Unmarshal(text, &b); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	// Through JSON and back, so that no two places share a map that an edit could change in both.
	text, err = b.encode()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	b = nil
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return b, decoder.Decode(&b)
}

// encode writes the configuration as JSON, which Envoy reads as well as YAML and which has no
// second reading of `on` or `1e3`.
func (b Bootstrap) encode() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(b)
	return text.Bytes(), err
}

// Listener returns the named static listener.
func (b Bootstrap) Listener(name string) (map[string]any, error) {
	return b.resource("listeners", name)
}

// Cluster returns the named static cluster.
func (b Bootstrap) Cluster(name string) (map[string]any, error) { return b.resource("clusters", name) }

func (b Bootstrap) resource(kind, name string) (map[string]any, error) {
	for _, r := range list(object(b["static_resources"])[kind]) {
		if r := object(r); r["name"] == name {
			return r, nil
		}
	}
	return nil, fmt.Errorf("the configuration has no %s in static_resources.%s", strconv.Quote(name), kind)
}

// ConnectionManager returns the typed_config of a listener's first HTTP connection manager.
func (b Bootstrap) ConnectionManager(listener string) (map[string]any, error) {
	l, err := b.Listener(listener)
	if err != nil {
		return nil, err
	}
	for _, chain := range list(l["filter_chains"]) {
		for _, filter := range list(object(chain)["filters"]) {
			config := object(object(filter)["typed_config"])
			if typ, _ := config["@type"].(string); strings.HasSuffix(typ, ".HttpConnectionManager") {
				return config, nil
			}
		}
	}
	return nil, fmt.Errorf("listener %s has no HTTP connection manager", listener)
}

// HTTPFilter returns the typed_config of a listener's first HTTP filter of a type, named by the
// last word of its @type, such as "JwtAuthentication".
func (b Bootstrap) HTTPFilter(listener, typ string) (map[string]any, error) {
	manager, err := b.ConnectionManager(listener)
	if err != nil {
		return nil, err
	}
	for _, filter := range list(manager["http_filters"]) {
		config := object(object(filter)["typed_config"])
		if t, _ := config["@type"].(string); strings.HasSuffix(t, "."+typ) {
			return config, nil
		}
	}
	return nil, fmt.Errorf("listener %s has no HTTP filter of type %s", listener, typ)
}

// Addresses returns where the configuration listens, "host:port" by listener name; the admin API's
// name is empty.
func (b Bootstrap) Addresses() (map[string]string, error) {
	admin, err := hostport(object(b["admin"])["address"])
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	addresses := map[string]string{"": admin}
	for _, l := range list(object(b["static_resources"])["listeners"]) {
		name, _ := object(l)["name"].(string)
		if addresses[name], err = hostport(object(l)["address"]); err != nil {
			return nil, fmt.Errorf("listener %s: %w", name, err)
		}
	}
	return addresses, nil
}

// EndpointOf returns the first endpoint of a static cluster, "host:port".
func (b Bootstrap) EndpointOf(cluster string) (string, error) {
	c, err := b.Cluster(cluster)
	if err != nil {
		return "", err
	}
	for _, locality := range list(object(c["load_assignment"])["endpoints"]) {
		for _, endpoint := range list(object(locality)["lb_endpoints"]) {
			return hostport(object(object(endpoint)["endpoint"])["address"])
		}
	}
	return "", fmt.Errorf("cluster %s has no endpoint", cluster)
}

// PluginConfig returns the configuration text of a listener's Wasm filter.
func (b Bootstrap) PluginConfig(listener string) (string, error) {
	filter, err := b.HTTPFilter(listener, "Wasm")
	if err != nil {
		return "", err
	}
	text, ok := object(object(filter["config"])["configuration"])["value"].(string)
	if !ok {
		return "", fmt.Errorf("listener %s: the plugin's configuration is not a StringValue", listener)
	}
	return text, nil
}

// object and list give an empty value for what is absent or of another type, so that a walk ends
// instead of panicking.
func object(v any) map[string]any { m, _ := v.(map[string]any); return m }
func list(v any) []any            { l, _ := v.([]any); return l }

// onEveryObject calls visit for each object of the tree, outer ones first.
func onEveryObject(node any, visit func(map[string]any)) {
	switch node := node.(type) {
	case Bootstrap:
		onEveryObject(map[string]any(node), visit)
	case map[string]any:
		visit(node)
		for _, value := range node {
			onEveryObject(value, visit)
		}
	case []any:
		for _, value := range node {
			onEveryObject(value, visit)
		}
	}
}

// wasmFile points every Wasm plugin at one module; the path is absolute.
func wasmFile(path string) Edit {
	return func(b Bootstrap) error {
		onEveryObject(b, func(o map[string]any) {
			if code := object(o["code"]); code != nil && o["runtime"] != nil {
				code["local"] = map[string]any{"filename": path}
			}
		})
		return nil
	}
}

// absoluteFiles makes the files that the configuration names relative to dir independent of the
// working directory.
func absoluteFiles(dir string) Edit {
	return func(b Bootstrap) error {
		onEveryObject(b, func(o map[string]any) {
			if file, ok := o["filename"].(string); ok && !filepath.IsAbs(file) {
				o["filename"] = filepath.Join(dir, file)
			}
		})
		return nil
	}
}

// freePorts lets the system choose the port of the admin API and of every listener when Envoy binds
// them, so that nothing else can take them in between.
func freePorts(b Bootstrap) error {
	addresses := []any{object(b["admin"])["address"]}
	for _, l := range list(object(b["static_resources"])["listeners"]) {
		addresses = append(addresses, object(l)["address"])
	}
	for _, address := range addresses {
		socket := object(object(address)["socket_address"])
		if socket == nil {
			return errors.New("the admin API and every listener need a socket_address")
		}
		socket["port_value"] = 0
	}
	return nil
}

// socketAddress turns "host:port" into Envoy's address.
func socketAddress(hostport string) (map[string]any, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", hostport, err)
	}
	return map[string]any{"socket_address": map[string]any{"address": host, "port_value": n}}, nil
}

// hostport turns Envoy's address into "host:port".
func hostport(address any) (string, error) {
	socket := object(object(address)["socket_address"])
	host, hasHost := socket["address"].(string)
	port, hasPort := socket["port_value"]
	if !hasHost || !hasPort {
		return "", errors.New("want a socket_address with address and port_value")
	}
	return net.JoinHostPort(host, fmt.Sprint(port)), nil
}
