// Package manifest finds Gatehouse's configurations in the files that carry them: bare ones,
// Envoy's bootstrap, resources and config dump, Kubernetes resources of Istio and Envoy Gateway,
// and ConfigMaps and Secrets that hold any of these. It also says what is wrong with the plugin
// around a configuration, and what there makes a gate weaker than it looks.
package manifest

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Finding is an error or a warning about a file.
type Finding struct {
	Place   Place
	Path    string // "spec.failStrategy"; "" where Message says it all
	Message string
}

// String is "path: message".
func (f Finding) String() string {
	if f.Path == "" {
		return f.Message
	}
	return f.Path + ": " + f.Message
}

// Error says why a file can't be read.
type Error struct{ Finding }

// Error is one line, with the position if there is one.
func (e *Error) Error() string {
	switch {
	case e.Place.Line == 0:
		return e.String()
	case e.Place.Column == 0:
		return "line " + strconv.Itoa(e.Place.Line) + ": " + e.String()
	}
	return "line " + strconv.Itoa(e.Place.Line) + ", column " + strconv.Itoa(e.Place.Column) + ": " + e.String()
}

// Plugin is one configuration of Gatehouse, and what the file says about the plugin that gets it.
type Plugin struct {
	Name string // the plugin's own, where the file has one
	// Title tells the plugin from others in its file: kind, namespace and name of the resource and
	// the plugin's name, as in "EnvoyExtensionPolicy shop/gates: a". It is "" for a bare
	// configuration.
	Title  string
	Config []byte // JSON; nil if it can't be read
	// Errors are about the plugin: it fails open, or its configuration can't be read.
	Errors []Finding
	// Warnings are about what stands around the plugin.
	Warnings []Finding
	// Environment is what the plugin's VM sees; nil where the file says nothing about it, as a bare
	// configuration does.
	Environment *Environment

	text     *source // Config, where the file holds it as a text
	tree     *value  // Config; nil where that is malformed
	phase    string  // Istio's, when the plugin runs
	resource *value  // the WasmPlugin or EnvoyExtensionPolicy that has it; else nil
}

// Environment are the variables that a plugin's VM sees.
type Environment struct {
	Values map[string]string // given in the file
	Host   map[string]bool   // passed on from the proxy's own environment
}

func (p *Plugin) fail(at *value, path, message string) {
	p.Errors = append(p.Errors, Finding{at.place(), path, message})
}

func (p *Plugin) warn(at *value, path, message string) {
	p.Warnings = append(p.Warnings, Finding{at.place(), path, message})
}

// Read finds the configurations in a file of JSON or YAML documents. It is an error if there are
// none; all its errors are of type [*Error].
func Read(text []byte) ([]Plugin, error) {
	if len(text) > MaxBytes {
		return nil, &Error{Finding{Message: "want at most " + strconv.Itoa(MaxBytes) + " bytes, got " + strconv.Itoa(len(text))}}
	}
	src := fileSource(string(text))
	if at := template.FindStringIndex(src.text); at != nil {
		return nil, src.failure(src.atOffset(at[0]), "a Helm template: render it first, as in `helm template CHART | gatehouse check -`")
	}
	if isJSONObject(src) && !isManifest(text) {
		return []Plugin{bareJSON(src)}, nil
	}
	docs, err := documents(src)
	if err != nil {
		return nil, err
	}
	var out []Plugin
	beside := companionsOf(docs)
	for _, doc := range docs {
		out = append(out, pluginsOf(doc, false)...)
	}
	for i := range out {
		beside.check(&out[i])
	}
	if len(out) == 0 {
		return nil, &Error{Finding{Message: "no configuration of Gatehouse in it"}}
	}
	return distinct(out), nil
}

// template finds an action of a Helm template: a field, a variable or a keyword between double
// braces. Tables of Lua have two braces as well.
var template = regexp.MustCompile(`\{\{-?\s*(/\*|[.$][A-Za-z]|(if|range|with|include|template|define|end|else|` +
	`toYaml|tpl|required|default|block|printf|lookup|fail|quote)\b[^={}]*\}\})`)

// bareJSON is a configuration in JSON. The parser gets it as it is, and reports what is malformed.
func bareJSON(src *source) Plugin {
	p := Plugin{Config: []byte(src.text), text: src}
	p.tree, _ = jsonDocument(src, true)
	return p
}

// isJSONObject reports whether a file is meant as JSON, malformed or not: it begins with a brace
// and a quote, or with a brace and isn't YAML either. YAML forgives commas, comments and a byte
// order mark that the filter's parser will not.
func isJSONObject(src *source) bool {
	rest, ok := strings.CutPrefix(strings.TrimLeft(src.text, "\ufeff \t\r\n"), "{")
	if !ok {
		return false
	}
	if strings.HasPrefix(strings.TrimLeft(rest, " \t\r\n"), `"`) {
		return true
	}
	_, err := documents(src)
	return err != nil
}

// isManifest reports whether a JSON document is more than a bare configuration.
func isManifest(text []byte) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil {
		return false
	}
	for _, name := range manifestMembers {
		if members[name] != nil {
			return true
		}
	}
	return false
}

// manifestMembers are members of Kubernetes resources, and of Envoy's bootstrap, discovery
// responses, config dump and filters.
var manifestMembers = []string{"apiVersion", "static_resources", "staticResources", "dynamic_resources", "dynamicResources",
	"resources", "configs", "http_filters", "httpFilters", "typed_config", "typedConfig", "@type"}

// pluginsOf finds the plugins of a document. A document that is nothing else is a bare
// configuration; with strict it must also look like one.
func pluginsOf(doc *value, strict bool) []Plugin {
	if doc.scalar != nil && doc.text() == "" {
		return nil // an empty document
	}
	if doc.get("apiVersion") != nil {
		return resourcePlugins(doc)
	}
	if doc.isList { // HTTP filters, as they are pasted
		doc = &value{src: doc.src, at: doc.at, members: []member{{"http_filters", doc.at, doc}}}
	}
	for _, name := range manifestMembers {
		if doc.get(name) != nil {
			return envoyPlugins(doc, "")
		}
	}
	if strict && !looksLikeConfig(doc) {
		return nil
	}
	p := Plugin{}
	p.configure(doc, "")
	return []Plugin{p}
}

// looksLikeOurs tells Gatehouse from other plugins: by its configuration's members, or by what the
// plugin says of itself.
func looksLikeOurs(plugin, config *value) bool {
	ours := looksLikeConfig(config)
	for _, m := range plugin.fields() {
		switch m.name {
		case "configuration", "pluginConfig", "config": // may mention anything
		default:
			m.value.walk(func(v *value) { ours = ours || strings.Contains(strings.ToLower(v.text()), "gatehouse") })
		}
	}
	return ours
}

func looksLikeConfig(v *value) bool {
	return v.get("routes") != nil || v.get("tokens") != nil || v.get("rate_limits") != nil
}

// configure gives a plugin its configuration, which stands at path.
func (p *Plugin) configure(config *value, path string) {
	if config == nil {
		p.Errors = append(p.Errors, Finding{Path: path, Message: "required: Gatehouse does nothing without a configuration"})
		return
	}
	p.tree = config
	var err error
	if p.Config, err = config.appendJSON(nil); err != nil {
		p.refuse(err)
	}
}

// configureText gives a plugin its configuration as a text, which the parser gets as it is.
func (p *Plugin) configureText(src *source) {
	p.Config, p.text = []byte(src.text), src
	if isJSON(src.text) {
		p.tree, _ = jsonDocument(src, true)
	}
}

// refuse records why the configuration can't be read.
func (p *Plugin) refuse(err error) {
	p.Config = nil
	if e, ok := err.(*Error); ok { //nolint:errorlint // this package's own, never wrapped
		p.Errors = append(p.Errors, e.Finding)
	}
}

// distinct leaves out plugins that stand in the file twice, as a static listener does in a config
// dump: in the bootstrap, and among the listeners.
func distinct(plugins []Plugin) (out []Plugin) {
	seen := map[string]bool{}
	for _, p := range plugins {
		key := p.Title + "\x00" + string(p.Config)
		if p.Title != "" && seen[key] {
			continue
		}
		seen[key] = true
		out = append(out, p)
	}
	return out
}

var position = regexp.MustCompile(`^line ([0-9]+), column ([0-9]+)$`)

// Place finds an error of the configuration's parser in the file: path is the error's, message
// tells whether it is about a field's name or its value.
func (p *Plugin) Place(path, message string) Place {
	if m := position.FindStringSubmatch(path); m != nil {
		return p.textPlace(m[1], m[2])
	}
	v, last := p.find(path)
	switch {
	case last != nil && strings.HasPrefix(message, "duplicate key"):
		return v.src.inFile(v.lastMember(last.name).at)
	case last != nil && strings.HasPrefix(message, "unknown field"):
		return v.src.inFile(last.at)
	case last != nil:
		return last.value.place()
	}
	return v.place()
}

// Value is the scalar at a path of the configuration.
func (p *Plugin) Value(path string) (text string, isString bool) {
	v, last := p.find(path)
	if last != nil {
		v = last.value
	}
	if v == nil || v.scalar == nil {
		return "", false
	}
	return v.text(), v.scalar.Tag == "!!str"
}

// find follows a path as far as the configuration has it. last is set if it ends in a member; v is
// then the mapping that has it.
func (p *Plugin) find(path string) (v *value, last *member) {
	if p.tree == nil {
		return nil, nil
	}
	v = p.tree
	steps := split(path)
	for i, step := range steps {
		if step.name == "" {
			if step.index >= len(v.list) {
				return v, nil
			}
			v = v.list[step.index]
			continue
		}
		m := v.member(step.name)
		switch {
		case m == nil:
			return v, nil // it is missing
		case i == len(steps)-1:
			return v, m
		}
		v = m.value
	}
	return v, nil
}

// textPlace turns the parser's position, whose columns count bytes, into one in the file.
func (p *Plugin) textPlace(line, column string) Place {
	at := Place{}
	at.Line, _ = strconv.Atoi(line)
	at.Column, _ = strconv.Atoi(column)
	if p.text == nil {
		return Place{}
	}
	if at.Line <= len(p.text.lines) {
		text := p.text.lines[at.Line-1]
		at.Column = utf8.RuneCountInString(text[:min(at.Column-1, len(text))]) + 1
	}
	return p.text.inFile(at)
}
