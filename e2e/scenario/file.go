package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The runners.
const (
	Core    = "core"
	Hostsim = "hostsim"
	Envoy   = "envoy"
)

// Runners are all of them, in the order of the table.
var Runners = []string{Core, Hostsim, Envoy}

// Common is what scenarios refer to by name.
type Common struct {
	Configs map[string]map[string]any `yaml:"configs"`
	Tokens  map[string]Token          `yaml:"tokens"`
	Callers map[string]Caller         `yaml:"callers"`
}

// Caller is who a token says is calling, as audit events and identity headers must have it.
type Caller struct {
	UserID   string `yaml:"user_id"`
	ClientID string `yaml:"client_id"`
	Kind     string `yaml:"caller"`
	Issuer   string `yaml:"issuer"`
	Evidence string `yaml:"evidence"`
	// Headers are the identity headers without their prefix, beside caller and, where they are set,
	// user-id, client-id and issuer.
	Headers map[string]string `yaml:"headers"`
}

// Scenario is one configuration and the requests that it gets.
type Scenario struct {
	Name string `yaml:"name"`
	// Why explains the scenario to readers.
	Why string `yaml:"why"`
	// Base names the configuration of common.yaml that Config, a JSON merge patch (RFC 7396),
	// changes; "" is "default".
	Base   string         `yaml:"base"`
	Config map[string]any `yaml:"config"`
	// Env are the environment variables of the VM.
	Env map[string]string `yaml:"env"`
	// Around is what stands around Gatehouse in the proxy.
	Around Around `yaml:"around"`
	// Fault is what goes wrong: see the Fault constants.
	Fault string `yaml:"fault"`
	// Prefix is that of the identity headers; "" is the default, "none" no identity headers at all.
	Prefix string           `yaml:"prefix"`
	Tokens map[string]Token `yaml:"tokens"`
	// Callers are expected callers beside those of common.yaml.
	Callers map[string]Caller `yaml:"callers"`
	Steps   []Step            `yaml:"steps"`
	// Metrics are all the counters that the scenario must move, and by how much, as Prometheus
	// shows them.
	Metrics map[string]uint64 `yaml:"metrics"`
	// Log is the level at which audit events go to the proxy's log; "" is info, the default of
	// audit.log.
	Log string `yaml:"log"`
	// Without has the runners that can't execute the scenario, and why.
	Without map[string]string `yaml:"without"`

	File   string `yaml:"-"` // without directory and extension
	common *Common
}

// The faults.
const (
	FaultContention = "contention" // every compare-and-set is lost to another worker
	FaultStore      = "store"      // the shared data can't be written
	FaultNoKeys     = "no_keys"    // the cluster of the JWK Set refuses connections
	FaultPanic      = "panic"      // deciding panics
)

// Around is what stands around Gatehouse in the proxy.
type Around struct {
	// JWTAuthn puts Envoy's jwt_authn before Gatehouse: "metadata" lets all requests pass and
	// leaves payload and failure status, "strict" refuses bad tokens itself.
	JWTAuthn string `yaml:"jwt_authn"`
	// LocalRateLimit puts Envoy's local_ratelimit behind Gatehouse, admitting that many requests; 0
	// for none.
	LocalRateLimit int `yaml:"local_ratelimit"`
}

// Step is a request, and what it must get.
type Step struct {
	// At is when, in seconds after the scenario's beginning; 0 is right after the step before.
	// Envoy really waits.
	At      float64  `yaml:"at"`
	Request Request  `yaml:"request"`
	Times   int      `yaml:"times"` // how often, each with the same result; 0 is once
	Answer  Answer   `yaml:"upstream"`
	Foreign Foreign  `yaml:"foreign"`
	By      *Reply   `yaml:"by"`
	Expect  *Expect  `yaml:"expect"`
	Without []string `yaml:"without"` // runners that can't execute the step
	// Because says why.
	Because string `yaml:"because"`
}

// Request is what the client sends.
type Request struct {
	Method string `yaml:"method"` // GET
	Path   string `yaml:"path"`   // as sent
	Host   string `yaml:"host"`   // orders.example
	// HTTP2 sends the request over HTTP/2, as gRPC requests are. Only Envoy makes a difference.
	HTTP2 bool `yaml:"http2"`
	// Headers are sent as they are, "name: value", in this order.
	Headers []string `yaml:"headers"`
	// Token names a token to be sent as a bearer.
	Token string `yaml:"token"`
	// Source is the client's address. In Envoy one of 127.0.0.0/8 is the connection's own, others
	// come from a trusted proxy's x-forwarded-for. 127.0.0.1 if empty.
	Source string `yaml:"source"`
	// Leaves makes the client go away before the upstream has answered.
	Leaves bool `yaml:"leaves"`
}

// Answer is what the upstream does.
type Answer struct {
	Status  int      `yaml:"status"` // 200
	Headers []string `yaml:"headers"`
	Reset   bool     `yaml:"reset"` // closes the connection instead of answering
}

// Foreign is what Envoy's jwt_authn leaves for Gatehouse: for hostsim and core, which have none. In
// Envoy it is the real one.
type Foreign struct {
	Token string  `yaml:"token"` // whose claims are the payload
	Fail  float64 `yaml:"fail"`  // the failure status
}

// Reply is another filter's refusal: for hostsim and core, which have no other filters.
type Reply struct {
	Before  bool     `yaml:"before"` // it stands before Gatehouse
	Status  int      `yaml:"status"`
	Details string   `yaml:"details"`
	Headers []string `yaml:"headers"`
	Body    string   `yaml:"body"`
}

// Load reads all scenarios in a directory, in the order of files and in them.
func Load(dir string) ([]*Scenario, error) {
	common := &Common{}
	if err := read(filepath.Join(dir, "common.yaml"), common); err != nil {
		return nil, err
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	slices.Sort(paths)
	var all []*Scenario
	seen := map[string]string{}
	for _, path := range paths {
		if filepath.Base(path) == "common.yaml" {
			continue
		}
		var file struct {
			Scenarios []*Scenario `yaml:"scenarios"`
		}
		if err := read(path, &file); err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		for _, s := range file.Scenarios {
			s.File, s.common = name, common
			if err := s.check(); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", path, s.Name, err)
			}
			if other, ok := seen[s.Name]; ok {
				return nil, fmt.Errorf("%s: a second scenario %q, after %s", path, s.Name, other)
			}
			seen[s.Name] = path
			all = append(all, s)
		}
	}
	return all, nil
}

func read(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// check refuses a scenario that expects too little ever to fail.
func (s *Scenario) check() error {
	switch {
	case s.Name == "":
		return errors.New("no name")
	case len(s.Steps) == 0:
		return errors.New("no steps")
	case s.Metrics == nil && s.Without[Core] == "":
		return errors.New("no metrics: say what counts, such as gatehouse_requests_total")
	}
	if _, ok := s.common.Configs[s.base()]; !ok {
		return fmt.Errorf("no configuration %q", s.base())
	}
	for runner, why := range s.Without {
		if !slices.Contains(Runners, runner) || why == "" {
			return fmt.Errorf("without: want a runner and why not, got %q: %q", runner, why)
		}
	}
	at := 0.0
	for i := range s.Steps {
		step := &s.Steps[i]
		if err := s.checkStep(step); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
		if step.At != 0 && step.At < at {
			return fmt.Errorf("step %d: goes back in time", i+1)
		}
		at = max(at, step.At)
		step.At, step.Times = at, max(step.Times, 1)
	}
	return nil
}

func (s *Scenario) checkStep(step *Step) error {
	if step.Request.Path == "" {
		return errors.New("no path")
	}
	if step.Expect == nil {
		return errors.New("no expectation")
	}
	for _, runner := range step.Without {
		if !slices.Contains(Runners, runner) {
			return fmt.Errorf("unknown runner %q", runner)
		}
	}
	if (len(step.Without) > 0) != (step.Because != "") {
		return errors.New("want because with without, and only there")
	}
	if who := step.Expect.Who; who != "" && who != anonymous {
		if _, ok := s.caller(who); !ok {
			return fmt.Errorf("no caller %q", who)
		}
	}
	return nil
}

// caller finds an expected caller by name: the scenario's own, or one of common.yaml.
func (s *Scenario) caller(name string) (Caller, bool) {
	if c, ok := s.Callers[name]; ok {
		return c, true
	}
	c, ok := s.common.Callers[name]
	return c, ok
}

func (s *Scenario) base() string {
	if s.Base == "" {
		return "default"
	}
	return s.Base
}

// RunsIn reports whether a runner executes the scenario, and if not, why.
func (s *Scenario) RunsIn(runner string) (ok bool, why string) {
	why, without := s.Without[runner]
	return !without, why
}

// RunsIn reports whether a runner executes the step.
func (s *Step) RunsIn(runner string) bool { return !slices.Contains(s.Without, runner) }

// Waits reports whether the scenario needs time to pass.
func (s *Scenario) Waits() bool { return s.Steps[len(s.Steps)-1].At > 0 }
