// Package hostsim runs Proxy-Wasm filters without a proxy: it is a host for the
// ABI versions 0.1.0, 0.2.0 and 0.2.1 on wazero, written from the specification
// (https://github.com/proxy-wasm/spec) and from what Envoy 1.40 was seen to do.
// It runs any filter, in tests and, with package proxy, behind net/http.
//
//	module, err := hostsim.Compile(ctx, wasm, cacheDir)
//	host, err := hostsim.New(ctx, module, hostsim.Options{
//		Plugins: []hostsim.Plugin{{Name: "filter", Config: config}},
//		Workers: 2,
//		Clock:   hostsim.NewManualClock(start),
//	})
//	stream := host.RoundTrip(0, hostsim.Request{Path: "/orders"}, upstream)
//	fmt.Println(stream.Downstream().Status())
//
// # What it reproduces
//
// A [Host] is one proxy process. It has a main thread and workers, each with VMs
// of its own; what a process shares is shared: [SharedData], queues, [Metrics].
// Plugins with the same VMID live in one VM. A [Stream] is one request on one
// worker; its caller plays the client and the upstream, part by part.
//
// It reproduces Envoy as it is, not as one would like it. Among the surprises: a
// compare-and-set on a key that doesn't exist ignores its condition; a filter
// that answers twice in one callback sends the first answer with the details of
// the second; headers are out of reach as soon as they have passed; a refusal of
// another filter ahead shows as nothing but a log callback; a gRPC call to an
// upstream without hosts fails and is closed as well; start functions and
// allocators may do nothing but log; some fields join their values and others
// don't. Package conformance plays the same probe to Envoy and to hostsim,
// compares all that is seen, and lists the few differences.
//
// # Time
//
// All time comes from [Options].Clock: the guest's wall and monotonic clocks,
// ticks, time-outs, the back-off of a reload. With a [ManualClock] nothing
// happens until the test moves it, and then in order, on the test's goroutine.
//
// # Callouts
//
// Callouts go to functions, by the name of their [Cluster]. They run before the
// call into the Host returns, or wait for the test's answer, or run on their own
// goroutines: see [CalloutMode].
//
// # Failures
//
// A trap is contained in its VM, and so are endless recursion, through the host
// too, pointers to nowhere and more memory than there is; what the requests get is
// the plugin's [FailurePolicy]. An endless loop is not: as in Envoy its thread
// waits. [Faults] makes any host call fail or trap, [Host.Trap] ends a
// VM, [Options].Foreign takes functions away, and Cluster functions return
// errors.
//
// # Locking
//
// Threads run in parallel; what enters one is serialised. Functions that the
// host calls (Log, Faults.HostCall, a [Sink]) run while a thread is locked and
// must not call into the Host. A [Cluster]'s functions run unlocked but must not
// either, since the guest may be waiting for them.
package hostsim
