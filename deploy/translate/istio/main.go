// Command istio serves the configuration that Istio makes of resources, as istiod does, without a
// cluster:
//
//	istio ADDRESS FILE…
//
// It prints a line when it serves, and ends with its standard input.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/test"
)

func main() {
	if err := serve(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "istio:", err)
		os.Exit(1)
	}
}

func serve(address string, files []string) error {
	var resources []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		resources = append(resources, string(text))
	}
	// istiod itself doesn't start without an API server. This is what Istio's own tests run
	// instead: its configuration generator and its xDS server.
	return test.Wrap(func(t test.Failer) {
		xds.NewFakeDiscoveryServer(t, xds.FakeOptions{
			ConfigString:    strings.Join(resources, "\n---\n"),
			ListenerBuilder: func() (net.Listener, error) { return net.Listen("tcp", address) },
		})
		fmt.Println("serving on", address)
		_, _ = io.Copy(io.Discard, os.Stdin)
	})
}
