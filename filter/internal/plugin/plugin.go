//go:build wasip1

// Package plugin turns the proxy's callbacks into requests for a core.Gate, and its decisions into what the proxy does.
package plugin

import (
	"encoding/binary"
	"errors"
	"strings"
	"syscall"

	"gatehouse/core"
	"gatehouse/core/config"
	"gatehouse/core/ratelimit"
	"gatehouse/filter/internal/host"
	"gatehouse/filter/internal/keys"
	"gatehouse/filter/internal/shared"
)

// plugin is one plugin instance in one VM.
type plugin struct {
	id      uint32
	cfg     *config.Config
	gate    *core.Gate
	keys    *keys.Keys
	metrics metrics
	waiting []*stream
	tick    uint32 // milliseconds
	free    []*stream
	req     core.Request // scratch
	foreign []foreignClaims
	log     host.Level
	lines   []byte // scratch: a stream's audit lines
}

// New makes the context of a plugin instance.
func New(id uint32) host.Plugin { return &plugin{id: id} }

// Start implements host.Plugin.
func (p *plugin) Start(doc []byte) bool {
	cfg, err := config.Parse(doc, syscall.Getenv)
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			host.Log(host.Critical, "gatehouse: configuration: "+line)
		}
		return false
	}
	if err := p.open(cfg); err != nil {
		host.Log(host.Critical, "gatehouse: "+err.Error())
		return false
	}
	for _, w := range cfg.Warnings {
		host.Log(host.Warn, "gatehouse: configuration: "+w)
	}
	p.pace(hurryMilliseconds) // the first fetch is due
	host.Log(host.Info, "gatehouse: started; the proxy verifies signatures by "+orNone(p.gate.HostAlgorithms())+", Go's own crypto the others")
	return true
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "no algorithm"
	}
	return strings.Join(names, ", ")
}

var errNoRandom = errors.New("the proxy gives no random numbers")

// open makes the gate.
func (p *plugin) open(cfg *config.Config) error {
	var seed [24]byte
	if !host.Random(seed[:]) {
		return errNoRandom
	}
	hashKey, err := ratelimit.SharedKey(shared.Store{}, core.Namespace, [16]byte(seed[:16]))
	if err != nil {
		return err
	}
	p.cfg = cfg
	p.keys = keys.New(cfg, p)
	p.gate, err = core.New(cfg, core.Host{
		Store: shared.Store{}, Remote: p.keys, Verify: host.VerifySignature, Mono: host.Monotonic,
		HashKey: hashKey, InstanceID: binary.LittleEndian.Uint64(seed[16:]),
	})
	if err != nil {
		return err
	}
	p.metrics.open(p.gate.Metrics())
	p.foreign = newForeign(cfg, p.gate)
	p.log = host.Level(cfg.Audit.Log) - 1
	return nil
}

// Tick implements host.Plugin.
func (p *plugin) Tick() {
	if p.gate == nil {
		return
	}
	// Deferred, so that a panic in one doesn't keep the others from running.
	now := host.Monotonic()
	defer p.gate.Flush(p.metrics.add, p.metrics.validated)
	defer p.resume(now)
	p.keys.Tick(now)
}

// Stop implements host.Plugin: what has been counted since the last tick isn't lost with the instance.
func (p *plugin) Stop() {
	if p.gate != nil {
		p.gate.Flush(p.metrics.add, p.metrics.validated)
	}
}

// Fetched implements keys.Owner.
func (p *plugin) Fetched(provider int, how keys.Outcome) {
	table := p.gate.Metrics()
	metric := table.FetchFailure(provider)
	switch how {
	case keys.Success:
		metric = table.FetchSuccess(provider)
	case keys.Partial:
		metric = table.FetchPartial(provider)
	}
	p.gate.Count(metric, 1)
}

// Aged implements keys.Owner.
func (p *plugin) Aged(provider int, seconds int64) {
	p.metrics.set(p.gate.Metrics().KeysAge(provider), uint64(max(seconds, 0)))
}

// NewStream implements host.Plugin.
func (p *plugin) NewStream(id uint32) host.Stream {
	if n := len(p.free); n > 0 {
		s := p.free[n-1]
		p.free = p.free[:n-1]
		s.reset(id)
		return s
	}
	s := &stream{plugin: p}
	s.reset(id)
	return s
}
