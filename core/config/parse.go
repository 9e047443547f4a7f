package config

import "gatehouse/core/metrics"

// Parse reads a configuration: one JSON object in UTF-8, of at most MaxBytes, nested at most
// MaxDepth deep. env looks up the environment variables that secrets may name; nil has none. The
// error is of type Problems: it has every problem, and never a secret.
func Parse(doc []byte, env func(name string) (value string, ok bool)) (*Config, error) {
	if env == nil {
		env = func(string) (string, bool) { return "", false }
	}
	p := &parser{env: env, config: &Config{}}
	root := p.tree(doc)
	if root != nil {
		p.check(root, &configuration, false)
		p.resolve(root)
	}
	if len(p.problems) > 0 {
		return nil, inOrder(p.problems)
	}
	p.effective(root)
	for _, w := range inOrder(p.warnings) {
		p.config.Warnings = append(p.config.Warnings, w.Path+": "+w.Message)
	}
	return p.config, nil
}

// parser turns a checked tree into a Config, and checks the rules that a shape can't express. It
// continues after a problem: then the Config is not usable, but the list of problems is complete.
type parser struct {
	report
	env    func(string) (string, bool)
	config *Config

	preflightsPass bool // the routes' default
}

func (p *parser) resolve(root *node) {
	c := p.config
	c.Observe = root.str("mode") == "observe"
	c.Paths = pathRules(root)
	p.preflightsPass = root.str("cors_preflight") == "pass"
	if n := root.get("unsafe_paths"); n.usable() && n.text == "allow" {
		p.warn(n, "lets every kind through: list the kinds that the upstream's paths need")
	}
	c.Metrics = Metrics{PerRoute: root.get("metrics").yes("per_route")}
	if root.get("metrics").str("naming") == "istio" {
		c.Metrics.Naming = metrics.Istio
	}
	p.cors(root)
	p.tokens(root)
	p.limits(root)
	p.routes(root)
	p.audit(root)
	p.identity(root)
	p.admin(root)
}

// labels finds names that have the same label in metrics.
type labels struct {
	first map[string]*node // by label value
	names map[string]string
}

func newLabels() labels { return labels{map[string]*node{}, map[string]string{}} }

// add reports a name at n whose label an earlier, different name already has. It reports equal
// names too, unless shared is true.
func (l labels) add(p *parser, n *node, name string, shared bool) {
	value := metrics.LabelValue(name)
	first, taken := l.first[value]
	switch {
	case !taken:
		l.first[value], l.names[value] = n, name
	case l.names[value] != name:
		message := quote(name) + " is " + quote(value) + " in metrics, and so is " + first.path()
		if n.name == "path" {
			message += ": give the route a name"
		}
		p.problem(n, message)
	case !shared:
		p.problem(n, "the same as "+first.path())
	}
}
