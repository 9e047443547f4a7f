package envoy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
)

// Watched delivers a part of a configuration through a directory that Envoy watches, as a control
// plane does: make one with [WatchListener] or [WatchPlugin], let [Watched.Edit] be the last of
// [Options.Edits], and deliver changes with [Watched.Apply].
type Watched struct {
	dir       string
	take      func(b Bootstrap, source map[string]any) error // takes the part out of a configuration
	resource  func(Bootstrap) (map[string]any, error)        // the part
	bootstrap Bootstrap
	version   int
}

// WatchListener delivers a listener, by LDS. The directory must exist and hold nothing else.
func WatchListener(dir, listener string) *Watched {
	return &Watched{
		dir: dir,
		take: func(b Bootstrap, source map[string]any) error {
			b["dynamic_resources"] = map[string]any{"lds_config": source}
			return RemoveListener(listener)(b)
		},
		resource: func(b Bootstrap) (map[string]any, error) {
			l, err := b.Listener(listener)
			if err != nil {
				return nil, err
			}
			l["address"] = map[string]any{"socket_address": map[string]any{"address": "127.0.0.1", "port_value": 0}}
			l["@type"] = "type.googleapis.com/envoy.config.listener.v3.Listener"
			return l, nil
		},
	}
}

// WatchPlugin delivers a listener's Wasm filter, by ECDS: the listener itself doesn't change. The
// directory must exist and hold nothing else.
func WatchPlugin(dir, listener string) *Watched {
	const name = "watched"
	return &Watched{
		dir: dir,
		take: func(b Bootstrap, source map[string]any) error {
			manager, err := b.ConnectionManager(listener)
			if err != nil {
				return err
			}
			wasm, err := b.HTTPFilter(listener, "Wasm")
			if err != nil {
				return err
			}
			for _, filter := range list(manager["http_filters"]) {
				if f := object(filter); object(f["typed_config"])["@type"] == wasm["@type"] {
					delete(f, "typed_config")
					f["name"], f["config_discovery"] = name, map[string]any{"config_source": source, "type_urls": []any{wasm["@type"]}}
					return nil
				}
			}
			return nil
		},
		resource: func(b Bootstrap) (map[string]any, error) {
			wasm, err := b.HTTPFilter(listener, "Wasm")
			return map[string]any{
				"@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig", "name": name, "typed_config": wasm,
			}, err
		},
	}
}

// Edit takes the part out of the configuration that Envoy starts with, and delivers it as it is.
func (w *Watched) Edit(b Bootstrap) error {
	text, err := b.encode()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &w.bootstrap); err != nil {
		return err
	}
	if err := w.Apply(); err != nil {
		return err
	}
	b["node"] = map[string]any{"id": "e2e", "cluster": "e2e"}
	return w.take(b, map[string]any{
		"resource_api_version": "V3",
		"path_config_source":   map[string]any{"path": w.file(), "watched_directory": map[string]any{"path": w.dir}},
	})
}

func (w *Watched) file() string { return filepath.Join(w.dir, "resources.json") }

// Apply changes the part and delivers it. Envoy sees it a moment later.
func (w *Watched) Apply(edits ...Edit) error {
	for _, edit := range edits {
		if err := edit(w.bootstrap); err != nil {
			return err
		}
	}
	resource, err := w.resource(w.bootstrap)
	if err != nil {
		return err
	}
	w.version++
	text, err := json.Marshal(map[string]any{"version_info": strconv.Itoa(w.version), "resources": []any{resource}})
	if err != nil {
		return err
	}
	if err := os.WriteFile(w.file()+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(w.file()+".new", w.file()) // the whole file becomes visible at once
}
