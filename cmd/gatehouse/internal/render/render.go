// Package render writes a configuration in the form that a proxy takes it.
package render

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"
)

// Options are what the resource around a configuration needs to know.
type Options struct {
	Config []byte   // JSON
	Image  string   // the filter's OCI image, without a scheme
	Env    []string // names of the environment variables that hold secrets
	// ClaimsFrom says that the proxy's own JWT filter verifies tokens.
	ClaimsFrom bool

	Namespace string  // the resource's; "" leaves it to kubectl
	Selector  []Label // of a WasmPlugin; none selects all workloads of the namespace
	// Inbound keeps a WasmPlugin on sidecars off the requests that their workloads send.
	Inbound  bool
	Gateway  string // that an EnvoyExtensionPolicy is for; "" names "eg", to be replaced
	Listener string // of the Gateway; "" is all of them
}

// Label is a label of a workload's pods.
type Label struct{ Name, Value string }

// JSON is the configuration alone, indented.
func JSON(o Options) ([]byte, error) {
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(o.Config), "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// Envoy is an entry of an HTTP connection manager's http_filters. The configuration is text in it.
func Envoy(o Options) ([]byte, error) {
	text, err := JSON(o)
	if err != nil {
		return nil, err
	}
	vm := mapping("vm_id", plain("gatehouse"), "runtime", plain("envoy.wasm.runtime.v8"),
		"code", flow(mapping("local", mapping("filename", plain("gatehouse.wasm")))))
	if len(o.Env) > 0 {
		add(vm, "environment_variables", flow(mapping("host_env_keys", texts(o.Env))))
	}
	filter := mapping("name", plain("gatehouse"), "typed_config", mapping(
		"@type", plain("type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"),
		"config", mapping(
			"name", plain("gatehouse"),
			"failure_policy", plain("FAIL_RELOAD"),
			"reload_config", flow(mapping("backoff", mapping("base_interval", plain("1s")))),
			"vm_config", vm,
			"configuration", mapping(
				"@type", plain("type.googleapis.com/google.protobuf.StringValue"),
				"value", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.LiteralStyle, Value: string(text)},
			),
		),
	))
	return encode(&yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{filter}})
}

// WasmPlugin is Istio's resource.
func WasmPlugin(o Options) ([]byte, error) {
	config, err := fromJSON(o.Config)
	if err != nil {
		return nil, err
	}
	phase := "AUTHN" // before Istio's own JWT filter, which may remove the token
	if o.ClaimsFrom {
		phase = "AUTHZ" // behind it
	}
	spec := mapping()
	if len(o.Selector) > 0 {
		labels := mapping()
		for _, label := range o.Selector {
			labels.Content = append(labels.Content, text(label.Name), text(label.Value))
		}
		add(spec, "selector", mapping("matchLabels", flow(labels)))
	}
	if o.Inbound {
		add(spec, "match", &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{flow(mapping("mode", plain("SERVER")))}})
	}
	add(spec, "url", text("oci://"+o.Image))
	add(spec, "phase", plain(phase))
	add(spec, "failStrategy", plain("FAIL_CLOSE"))
	if len(o.Env) > 0 {
		env := &yaml.Node{Kind: yaml.SequenceNode}
		for _, name := range o.Env {
			env.Content = append(env.Content, flow(mapping("name", text(name), "valueFrom", plain("HOST"))))
		}
		add(spec, "vmConfig", mapping("env", env))
	}
	add(spec, "pluginConfig", config)
	return encode(mapping("apiVersion", plain("extensions.istio.io/v1alpha1"), "kind", plain("WasmPlugin"),
		"metadata", metadata(o), "spec", spec))
}

func metadata(o Options) *yaml.Node {
	m := mapping("name", plain("gatehouse"))
	if o.Namespace != "" {
		add(m, "namespace", text(o.Namespace))
	}
	return m
}

// ExtensionPolicy is Envoy Gateway's resource.
func ExtensionPolicy(o Options) ([]byte, error) {
	config, err := fromJSON(o.Config)
	if err != nil {
		return nil, err
	}
	wasm := mapping("name", plain("gatehouse"), "failOpen", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "false"},
		"code", mapping("type", plain("Image"), "image", mapping("url", text(o.Image))))
	if len(o.Env) > 0 {
		add(wasm, "env", flow(mapping("hostKeys", texts(o.Env))))
	}
	add(wasm, "config", config)
	gateway := mapping("group", plain("gateway.networking.k8s.io"), "kind", plain("Gateway"))
	if o.Gateway == "" {
		add(gateway, "name", plain("eg"))
		gateway.Content[len(gateway.Content)-1].LineComment = "your Gateway's name"
	} else {
		add(gateway, "name", text(o.Gateway))
	}
	if o.Listener != "" {
		add(gateway, "sectionName", text(o.Listener))
	}
	return encode(mapping("apiVersion", plain("gateway.envoyproxy.io/v1alpha1"), "kind", plain("EnvoyExtensionPolicy"),
		"metadata", metadata(o),
		"spec", mapping(
			"targetRefs", &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{gateway}},
			"wasm", &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{wasm}},
		)))
}

func encode(n *yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}

// plain is a text of this package's own.
func plain(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: s} }

// text is a text of the user's, in quotes: then every reader of YAML takes it for one.
func text(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: s}
}

func texts(list []string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for _, s := range list {
		n.Content = append(n.Content, text(s))
	}
	return n
}

func flow(n *yaml.Node) *yaml.Node {
	n.Style = yaml.FlowStyle
	return n
}

// mapping makes a mapping of names and values in turn.
func mapping(pairs ...any) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for i := 1; i < len(pairs); i += 2 {
		add(n, pairs[i-1].(string), pairs[i].(*yaml.Node))
	}
	return n
}

func add(n *yaml.Node, name string, value *yaml.Node) {
	key := plain(name)
	if strings.HasPrefix(name, "@") {
		key = text(name)
	}
	n.Content = append(n.Content, key, value)
}

// fromJSON is a JSON value as YAML, its members in their order.
func fromJSON(doc []byte) (*yaml.Node, error) {
	return node(jsontext.NewDecoder(bytes.NewReader(doc)))
}

func node(d *jsontext.Decoder) (*yaml.Node, error) {
	t, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	switch t.Kind() {
	case '{':
		n := &yaml.Node{Kind: yaml.MappingNode}
		for d.PeekKind() != '}' {
			name, err := d.ReadToken()
			if err != nil {
				return nil, err
			}
			key := name.String()
			value, err := node(d)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, keyNode(key), value)
		}
		_, err = d.ReadToken()
		return n, err
	case '[':
		n := &yaml.Node{Kind: yaml.SequenceNode}
		scalars := true
		for d.PeekKind() != ']' {
			value, err := node(d)
			if err != nil {
				return nil, err
			}
			scalars = scalars && value.Kind == yaml.ScalarNode
			n.Content = append(n.Content, value)
		}
		if scalars {
			n.Style = yaml.FlowStyle
		}
		_, err = d.ReadToken()
		return n, err
	case '"':
		return text(t.String()), nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: scalar(t)}, nil
}

// scalar is true, false, null or a number. Readers of YAML disagree about integers with an
// exponent.
func scalar(t jsontext.Token) string {
	if t.Kind() == '0' {
		if f, err := strconv.ParseFloat(t.String(), 64); err == nil && f == float64(int64(f)) && f > -1<<53 && f < 1<<53 {
			return strconv.FormatInt(int64(f), 10)
		}
	}
	return t.String()
}

// keyNode is a member's name: plain where it is one of Gatehouse's, else in quotes.
func keyNode(name string) *yaml.Node {
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && c != '_' {
			return text(name)
		}
	}
	if name == "" || name == "y" || name == "n" || name == "yes" || name == "no" || name == "on" || name == "off" ||
		name == "true" || name == "false" || name == "null" {
		return text(name)
	}
	return plain(name)
}
