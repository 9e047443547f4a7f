package envoy

import (
	"encoding/json"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Endpoint sends a cluster's traffic to one address, "host:port".
func Endpoint(cluster, hostport string) Edit {
	return func(b Bootstrap) error {
		c, err := b.Cluster(cluster)
		if err != nil {
			return err
		}
		address, err := socketAddress(hostport)
		if err != nil {
			return err
		}
		c["load_assignment"] = map[string]any{"cluster_name": cluster, "endpoints": []any{map[string]any{
			"lb_endpoints": []any{map[string]any{"endpoint": map[string]any{"address": address}}},
		}}}
		return nil
	}
}

// PluginConfig replaces the configuration text of a listener's Wasm filter, whatever the text is.
func PluginConfig(listener, configuration string) Edit {
	return func(b Bootstrap) error {
		filter, err := b.HTTPFilter(listener, "Wasm")
		if err != nil {
			return err
		}
		object(filter["config"])["configuration"] = map[string]any{
			"@type": "type.googleapis.com/google.protobuf.StringValue", "value": configuration,
		}
		return nil
	}
}

// MergePluginConfig applies a JSON merge patch (RFC 7396) to the configuration of a listener's Wasm
// filter: objects merge, null removes, all else replaces.
func MergePluginConfig(listener, patch string) Edit {
	return func(b Bootstrap) error {
		text, err := b.PluginConfig(listener)
		if err != nil {
			return err
		}
		var config, change any
		if err := errors.Join(json.Unmarshal([]byte(text), &config), json.Unmarshal([]byte(patch), &change)); err != nil {
			return fmt.Errorf("listener %s: %w", listener, err)
		}
		merged, err := json.Marshal(mergePatch(config, change))
		if err != nil {
			return err
		}
		return PluginConfig(listener, string(merged))(b)
	}
}

// mergePatch is MergePatch of RFC 7396, section 2.
func mergePatch(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	result := object(target)
	if result == nil {
		result = map[string]any{}
	}
	for name, value := range changes {
		if value == nil {
			delete(result, name)
		} else {
			result[name] = mergePatch(result[name], value)
		}
	}
	return result
}

// AddListener adds a static listener, given in YAML. Like the others it gets a free port unless
// [Options.KeepPorts] is set.
func AddListener(text string) Edit { return addResource("listeners", text) }

// AddCluster adds a static cluster, given in YAML.
func AddCluster(text string) Edit { return addResource("clusters", text) }

func addResource(kind, text string) Edit {
	return func(b Bootstrap) error {
		var resource map[string]any
		if err := yaml.Unmarshal([]byte(text), &resource); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		resources := object(b["static_resources"])
		if resources == nil {
			return errors.New("the configuration has no static_resources")
		}
		resources[kind] = append(list(resources[kind]), resource)
		return nil
	}
}

// CopyListener adds a listener that is like another but for its name, which its Wasm plugin takes
// too. A scenario that needs a configuration of its own gets a copy and [PluginConfig] instead of
// an Envoy.
func CopyListener(from, name string) Edit {
	return func(b Bootstrap) error {
		l, err := b.Listener(from)
		if err != nil {
			return err
		}
		text, err := json.Marshal(l)
		if err != nil {
			return err
		}
		if err := AddListener(string(text))(b); err != nil {
			return err
		}
		added := list(object(b["static_resources"])["listeners"])
		object(added[len(added)-1])["name"] = name
		filter, err := b.HTTPFilter(name, "Wasm")
		if err != nil {
			return err
		}
		object(filter["config"])["name"] = name
		return nil
	}
}

// RemoveListener takes a static listener away.
func RemoveListener(name string) Edit {
	return func(b Bootstrap) error {
		if _, err := b.Listener(name); err != nil {
			return err
		}
		resources := object(b["static_resources"])
		var kept []any
		for _, l := range list(resources["listeners"]) {
			if object(l)["name"] != name {
				kept = append(kept, l)
			}
		}
		resources["listeners"] = kept
		return nil
	}
}

// AccessLog sends the access log of a listener to the file at path.
func AccessLog(listener, path string) Edit {
	return func(b Bootstrap) error {
		manager, err := b.ConnectionManager(listener)
		if err != nil {
			return err
		}
		loggers := list(manager["access_log"])
		if len(loggers) == 0 {
			return fmt.Errorf("listener %s has no access log", listener)
		}
		for _, logger := range loggers {
			object(object(logger)["typed_config"])["path"] = path
		}
		return nil
	}
}
