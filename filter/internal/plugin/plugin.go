package plugin

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"gatehouse/core"
	"gatehouse/core/clock"
	"gatehouse/core/config"
	"gatehouse/core/ratelimit"
	"gatehouse/filter/internal/admin"
	"gatehouse/filter/internal/keys"
	"gatehouse/filter/internal/proxy"
	"gatehouse/filter/internal/shared"
	"gatehouse/filter/internal/sink"
)

// VM is what the plugin instances of one VM share.
type VM struct {
	starts uint64               // how many instances have started
	open   map[string][]*plugin // by name, the instances that have started and not stopped, in order
}

// NewVM makes a VM's state.
func NewVM() *VM { return &VM{open: map[string][]*plugin{}} }

// plugin is one plugin instance in one VM.
type plugin struct {
	vm      *VM
	name    string
	started uint64 // vm.starts when this instance had started
	seen    uint64 // vm.starts when the last stream came, or started
	proxy   proxy.Proxy
	id      uint32
	cfg     *config.Config
	gate    *core.Gate
	needs   core.Needs
	keys    *keys.Keys
	metrics metrics
	feed    *admin.Feed
	admin   *admin.API // nil for a gate
	sources []claimsSource
	sink    *sink.Sink  // of audit events; nil for none
	log     proxy.Level // of audit events; below Trace for none
	state   proxy.Path  // of audit events; "" for none

	waiting    []*stream
	unverified int       // of waiting: no key made their signature
	tick       uint32    // milliseconds
	free       []*stream // streams that have ended, to be used again
	streams    []*stream // those that have not ended, as far as this plugin knows
	next       int       // of streams: the one that sweep looks at next
	unlogged   bool      // streams end without Done here

	// Scratch, valid within a callback.
	req      core.Request
	metadata []byte // the stream's, if haveMeta
	haveMeta bool
	pairs    []byte
	reply    proxy.Reply
	lines    []byte // a stream's audit lines
	events   int    // of lines
	told     told   // what waits for the next stream's filter state
	refused  bool   // the next audit line is a refusal's, which the feed wants
}

// New makes the context of a plugin instance.
func (vm *VM) New(p proxy.Proxy, id uint32) proxy.Plugin { return &plugin{vm: vm, proxy: p, id: id} }

// close takes an instance that stops out of those that are open.
func (vm *VM) close(p *plugin) {
	vm.open[p.name] = slices.DeleteFunc(vm.open[p.name], func(o *plugin) bool { return o == p })
}

// heir is the newest open instance of p's name that takes what p leaves; nil if there is none. The
// newest one of all may be stopped before p: Envoy withdraws an update whose listener can't start.
func (p *plugin) heir(takes func(*plugin) bool) *plugin {
	for _, o := range slices.Backward(p.vm.open[p.name]) {
		if o != p && takes(o) {
			return o
		}
	}
	return nil
}

// drained reports whether an update has taken this instance's place: another one of its name has
// started and not stopped, and no stream has come since. Its listener drains, for ten minutes by
// default.
func (p *plugin) drained() bool {
	open := p.vm.open[p.name]
	return len(open) > 0 && open[len(open)-1].started > p.seen
}

const pluginName proxy.Path = "plugin_name"

// Start implements proxy.Plugin.
func (p *plugin) Start(doc []byte) (ok bool) {
	defer func() {
		if r := recover(); r != nil {
			proxy.LogPanic(p.proxy, "start", r)
			ok = false
		}
	}()
	cfg, err := config.Parse(doc, syscall.Getenv)
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			proxy.Log(p.proxy, proxy.Critical, "configuration: "+line)
		}
		return false
	}
	if what, err := p.open(cfg); err != nil {
		proxy.Log(p.proxy, proxy.Critical, what+": "+err.Error())
		return false
	}
	for _, w := range cfg.Warnings {
		proxy.Log(p.proxy, proxy.Warn, "configuration: "+w)
	}
	role := "the gate"
	if cfg.Admin != nil {
		role = "the admin API"
	}
	proxy.Log(p.proxy, proxy.Info, "started as "+role+"; version "+Version+", configuration hash "+strconv.FormatUint(cfg.Hash, 10)+
		"; the proxy verifies signatures by "+orNone(p.gate.HostAlgorithms())+
		", the module itself the others")
	return true
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "no algorithm"
	}
	return strings.Join(names, ", ")
}

// open makes the gate and asks for ticks. On an error, what says what failed.
func (p *plugin) open(cfg *config.Config) (what string, err error) {
	var seed [24]byte
	if err := p.proxy.Random(seed[:]); err != nil {
		return "no random numbers", err
	}
	store := shared.Store{Proxy: p.proxy}
	hashKey, err := ratelimit.SharedKey(store, core.Namespace, [16]byte(seed[:16]))
	if err != nil {
		return "the shared data", err
	}
	p.cfg = cfg
	if name, err := p.proxy.Property(pluginName); err == nil {
		p.name = string(name)
	}
	if p.keys, err = keys.New(p.proxy, p.name, cfg, p); err != nil {
		return "the monotonic clock", err
	}
	p.gate, err = core.New(cfg, core.Host{
		Store: store, Remote: p.keys, Verify: (&proxy.Signatures{Proxy: p.proxy}).Verify, Mono: p.mono,
		HashKey: hashKey, Version: Version, InstanceID: binary.LittleEndian.Uint64(seed[16:]),
	})
	if err != nil {
		return "the gate", err
	}
	p.needs = p.gate.Needs()
	p.metrics.open(p.proxy, p.gate.Metrics(), cfg.Hash)
	p.replaceVersion(store)
	p.feed = admin.NewFeed(store)
	if cfg.Admin != nil {
		p.admin = admin.New(cfg, p.gate, store, p, Version, p.mono())
	}
	p.sources = claimsSources(cfg)
	if cfg.Audit.HTTP != nil {
		p.sink = sink.New(p.proxy, cfg.Audit.HTTP, p, binary.LittleEndian.Uint64(seed[16:]))
	}
	p.log, p.state = proxy.Level(cfg.Audit.Log)-1, proxy.Path(cfg.Audit.State)
	if err := p.setTick(hurryMilliseconds); err != nil { // the first fetch is due
		return "no ticks", err
	}
	p.vm.starts++
	p.started, p.seen = p.vm.starts, p.vm.starts
	p.vm.open[p.name] = append(p.vm.open[p.name], p)
	return "", nil
}

// mono is the clock by which the gate measures durations. One that can't be measured is 0.
func (p *plugin) mono() clock.Mono {
	now, err := p.proxy.Monotonic()
	if err != nil {
		return 0
	}
	return now
}

// Tick implements proxy.Plugin.
func (p *plugin) Tick() {
	defer proxy.Survive(p.proxy, "tick")
	if p.gate == nil {
		return
	}
	// Deferred, so that a panic in one doesn't keep the others from running. Deferred calls run
	// last to first: after the keys the streams that ended unseen, the deliveries, the waiting
	// requests, the admin API's share and the counters.
	defer p.flush()
	now, err := p.proxy.Monotonic()
	if err != nil {
		proxy.Log(p.proxy, proxy.Error, "a tick without a clock: "+err.Error())
		return
	}
	defer p.meetAdmin(now)
	defer p.resume(now)
	defer p.deliver(now)
	defer p.sweep(now)
	p.keys.Tick(now, p.drained())
}

// meetAdmin tells gates that this is the admin API, or finds out whether there is one.
func (p *plugin) meetAdmin(now clock.Mono) {
	if p.admin != nil {
		p.admin.Tick(now)
	}
	p.feed.Look(now)
}

// Stop implements proxy.Plugin: what has been counted since the last tick isn't lost with the
// instance, nor are audit events in the queue or for the access log, as far as its heir or the
// receiver takes them at once.
func (p *plugin) Stop() (done bool) {
	done = true // whatever happens: the proxy would keep an instance that isn't
	defer proxy.Survive(p.proxy, "plugin done")
	if p.gate == nil {
		return true
	}
	p.vm.close(p)
	defer p.flush()
	defer p.bequeathTold()
	if p.sink == nil {
		return true
	}
	now, err := p.proxy.Monotonic()
	if err != nil {
		return true
	}
	lost, done := p.sink.Stop(now, p.heirSink, p.stopped)
	p.gate.Count(p.gate.Metrics().AuditDropped(), uint64(lost))
	p.countQueue()
	return done
}

// stopped is told that the queue is empty, or that the receiver takes no more.
func (p *plugin) stopped(lost int) {
	p.gate.Count(p.gate.Metrics().AuditDropped(), uint64(lost))
	p.bequeathTold()
	p.flush()
	p.countQueue()
	if err := p.proxy.Stopped(); err != nil {
		proxy.Log(p.proxy, proxy.Error, "the end can't be told: "+err.Error())
	}
}

// flush hands what has been counted to the proxy, and to the admin API what the proxy doesn't add
// up.
func (p *plugin) flush() {
	p.gate.Flush(p.metrics.add, p.validated)
	if head, ok := p.gate.Head(); ok {
		p.feed.Head(head)
	}
	p.feed.Share(p.metrics.count, p.metrics.names)
}

func (p *plugin) validated(nanos int64) {
	p.metrics.validated(nanos)
	p.feed.Validated(nanos)
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

// NewStream implements proxy.Plugin.
func (p *plugin) NewStream(id uint32) proxy.Stream {
	p.seen = p.vm.starts
	if p.admin != nil {
		return &adminStream{plugin: p}
	}
	var s *stream
	if n := len(p.free); n > 0 {
		s = p.free[n-1]
		p.free = p.free[:n-1]
	} else {
		s = &stream{plugin: p}
		s.reset()
	}
	s.id, s.ended, s.at = id, false, len(p.streams)
	p.streams = append(p.streams, s)
	return s
}
