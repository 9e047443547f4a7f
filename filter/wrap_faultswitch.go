//go:build wasip1 && faultswitch

package main

import (
	"gatehouse/filter/internal/faultswitch"
	"gatehouse/filter/internal/proxy"
)

type newPlugin = func(proxy.Proxy, uint32) proxy.Plugin

// wrap lets requests ask for faults.
func wrap(n newPlugin) newPlugin { return faultswitch.Wrap(n) }
