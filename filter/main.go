//go:build wasip1

// Command filter is Gatehouse's proxy-wasm module: build it with GOOS=wasip1 GOARCH=wasm and
// -buildmode=c-shared.
package main

import (
	"gatehouse/filter/internal/host"
	"gatehouse/filter/internal/plugin"
)

func main() {}

func init() { host.Register(wrap(plugin.NewVM().New)) }
