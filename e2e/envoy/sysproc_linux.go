package envoy

import "syscall"

// sysProcAttr puts Envoy into a process group of its own, so that a Ctrl-C at the terminal reaches only us and we end it in order,
// and has the kernel end it when we die without doing so. The signal is one that the docker client passes on to its container.
func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
