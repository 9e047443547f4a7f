//go:build wasip1 && !faultswitch

package main

import "gatehouse/filter/internal/proxy"

type newPlugin = func(proxy.Proxy, uint32) proxy.Plugin

// wrap changes nothing: requests can't ask the shipped module for faults.
func wrap(n newPlugin) newPlugin { return n }
