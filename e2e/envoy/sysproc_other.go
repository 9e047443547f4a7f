//go:build !linux

package envoy

import "syscall"

// sysProcAttr puts Envoy into a process group of its own, so that a Ctrl-C at the terminal reaches only us and we end it in order.
// Only Linux can also end it when we are killed.
func sysProcAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
