package envoy

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of the CPU times in /proc, 1/100 s for all programs on Linux (proc(5),
// USER_HZ).
const clockTick = 10 * time.Millisecond

// CPU returns the CPU time that Envoy has used so far, see [CPU].
func (p *Process) CPU() (time.Duration, error) { return CPU(p.pid) }

// RSS returns Envoy's resident memory in bytes. Linux only.
func (p *Process) RSS() (int64, error) { return RSS(p.pid) }

// CPU returns the CPU time that a process has used so far in all its threads, in user and kernel
// mode, in steps of 10 ms. Linux only.
func CPU(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The second field is the command in parentheses and may hold anything; utime and stime are
	// fields 14 and 15 (proc(5)).
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: want 15 fields or more", pid)
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

// RSS returns a process's resident memory in bytes. Linux only.
func RSS(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kb * 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status: no VmRSS", pid)
}
