// Command peers is what talks gRPC and HTTP/3 in the tests of the folder above.
//
//	peers serve                                   a gRPC server, until the standard input ends
//	peers grpc ADDRESS TOKEN CALL                 a gRPC client that makes one call
//	peers http3 ADDRESS METHOD PATH [NAME VALUE]… an HTTP/3 client that sends one request
//
// The server first writes the address at which it listens. The clients write what they got as a
// JSON object.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 1 && args[0] == "serve" {
		return serve()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var got any
	var err error
	switch {
	case len(args) == 4 && args[0] == "grpc":
		got, err = call(ctx, args[1], args[2], args[3])
	case len(args) >= 4 && args[0] == "http3":
		got, err = overHTTP3(ctx, args[1], args[2], args[3], args[4:])
	default:
		return fmt.Errorf("unknown arguments %q", args)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(got)
}
