package serve_test

import "syscall"

// sysProcAttr gives a program a process group of its own and has the kernel end it when the test dies without doing so.
func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
