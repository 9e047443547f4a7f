package hostsim_test

import (
	"context"
	"fmt"
	"time"

	"gatehouse/hostsim"
)

// A filter that is not ours: it adds a header to each request.
func Example() {
	ctx := context.Background()
	module, err := hostsim.Compile(ctx, tinyFilter().wasm(), "")
	if err != nil {
		panic(err)
	}
	defer module.Close(ctx)
	clock := hostsim.NewManualClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	host, err := hostsim.New(ctx, module, hostsim.Options{
		Plugins: []hostsim.Plugin{{Name: "tiny"}},
		Workers: 2,
		Clock:   clock,
	})
	if err != nil {
		panic(err)
	}
	defer host.Close()

	stream := host.RoundTrip(1, hostsim.Request{Path: "/orders"}, func(sent hostsim.Message) *hostsim.Message {
		fmt.Println("upstream got", sent.Headers.Get(":path"), "x-filtered:", sent.Headers.Get("x-filtered"))
		return &hostsim.Message{Headers: hostsim.H(":status", "200"), Body: []byte("ok")}
	})
	fmt.Println("client got", stream.Downstream().Status(), string(stream.Downstream().Body))
	// Output:
	// upstream got /orders x-filtered: yes
	// client got 200 ok
}

// The parts of an exchange can be driven one by one, to see what a filter does
// in between.
func ExampleHost_Stream() {
	ctx := context.Background()
	module, err := hostsim.Compile(ctx, tinyFilter().wasm(), "")
	if err != nil {
		panic(err)
	}
	defer module.Close(ctx)
	host, err := hostsim.New(ctx, module, hostsim.Options{Plugins: []hostsim.Plugin{{Name: "tiny"}}})
	if err != nil {
		panic(err)
	}
	defer host.Close()

	stream := host.Stream(0, hostsim.Request{Method: "POST"})
	stream.RequestHeaders(false)
	stream.RequestBody([]byte("half of a bo"), false)
	fmt.Println("paused:", stream.State().RequestPaused)
	stream.Reset("downstream_remote_disconnect")
	fmt.Println("over:", stream.State().Over, stream.State().Details)
	// Output:
	// paused: false
	// over: true downstream_remote_disconnect
}
