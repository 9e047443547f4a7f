// Package hostsim runs Proxy-Wasm filters without a proxy. It is a host for the ABI versions 0.1.0,
// 0.2.0 and 0.2.1 on wazero, written from the specification (https://github.com/proxy-wasm/spec)
// and from what Envoy 1.40 was seen to do. It runs any filter, in tests and, with package proxy,
// behind net/http.
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
// A [Host] is one proxy process. It has a main thread and workers, each with VMs of its own. The
// process shares [SharedData], queues and [Metrics]. Plugins with the same VMID live in one VM. A
// [Stream] is one request on one worker; its caller plays the client and the upstream, part by
// part.
//
// It reproduces Envoy as it is. Some of that is surprising:
//   - a compare-and-set on a key that doesn't exist ignores its condition;
//   - a filter that answers twice in one callback sends the first answer with the details of the
//     second;
//   - headers are out of reach as soon as they have passed;
//   - a refusal of another filter ahead shows as nothing but a log callback;
//   - a gRPC call to an upstream without hosts fails and is closed as well;
//   - start functions and allocators may do nothing but log;
//   - some fields join their values and others don't.
//
// Package conformance plays the same probe to Envoy and to hostsim, compares everything it sees,
// and lists the few differences.
//
// # Time
//
// All time comes from [Options].Clock: the guest's wall and monotonic clocks, ticks, time-outs, the
// back-off of a reload. With a [ManualClock] nothing happens until the test moves it, and then in
// order, on the test's goroutine.
//
// # Callouts
//
// Callouts go to functions, by the name of their [Cluster]. They run before the call into the Host
// returns, or wait for the test's answer, or run on their own goroutines: see [CalloutMode].
//
// # Failures
//
// A trap is contained in its VM. So are endless recursion, pointers outside of the memory, and a
// guest that wants more memory than there is. The requests then get what the plugin's
// [FailurePolicy] says. An endless loop is not contained: as in Envoy its thread waits. [Faults]
// makes any host call fail or trap, [Host.Trap] ends a VM, [Options].Foreign takes functions away,
// and Cluster functions return errors.
//
// # Locking
//
// Threads run in parallel; calls that enter the same thread are serialised. Functions that the host
// calls (Log, Faults.HostCall, a [Sink]) run while a thread is locked and must not call into the
// Host. A [Cluster]'s functions run unlocked but must not either, since the guest may be waiting
// for them.
//
// # Inside
//
// This package is the API. Below it, in internal/, each package imports only what stands below it:
//
//	thread    the threads, and the VMs that each thread has
//	hostcall  the functions of the ABI that guests call
//	vm        contexts, their life and their callbacks
//	stream    a request and its response on their way past a filter
//	callout   HTTP and gRPC callouts
//	wasm      modules and instances on wazero, and WASI
//	property  walking and serialising properties
//	foreign   Envoy's foreign functions
//	fields, shared, metrics, clock, protobuf   what the others are made of
package hostsim
