package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/cmd/testbed/envoy"
)

// subject is a configuration that is measured.
type subject struct {
	Name     string
	requests [][]byte // they take turns
	want     int      // the status of every answer
	prepare  func(*subject) object
	workers  int
	warm     int // requests before the first round; 0 for a few thousand

	process *envoy.Process
	log     string    // of its access log
	startup float64   // CPU time until it served, in seconds
	sizes   []float64 // resident memory after each start, in MB
	costs   []float64
}

// start starts the subject's Envoy and binds it to the core of the proxies.
func (s *subject) start(ctx context.Context, lab *lab) error {
	s.log = filepath.Join(lab.dir, "log-"+strconv.Itoa(lab.started))
	config := filepath.Join(lab.dir, "envoy-"+strconv.Itoa(lab.started)+".json")
	lab.started++
	text, err := json.Marshal(s.prepare(s))
	if err != nil {
		return err
	}
	if err := os.WriteFile(config, text, 0o600); err != nil {
		return err
	}
	s.process, err = envoy.Start(ctx, envoy.Options{
		Binary: lab.envoy, Config: config, Concurrency: max(s.workers, 1), LogLevel: "warning",
	})
	if err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	cpu, err := s.process.CPU()
	if err != nil {
		return err
	}
	s.startup = cpu.Seconds()
	if s.workers > 1 {
		return nil
	}
	return pin(s.process.PID(), proxyCore)
}

func (s *subject) stop() {
	if s.process != nil {
		_ = s.process.Stop()
		_ = os.Remove(s.log)
		s.process = nil
	}
}

// run sends n requests and returns Envoy's CPU time for each, in microseconds.
func (s *subject) run(n int) (float64, error) {
	before, err := s.process.CPU()
	if err != nil {
		return 0, err
	}
	if err := load(s.process.Address("bench"), s.requests, n, s.want); err != nil {
		return 0, fmt.Errorf("%s: %w", s.Name, err)
	}
	after, err := s.process.CPU()
	if err != nil {
		return 0, err
	}
	return float64((after - before).Nanoseconds()) / 1000 / float64(n), nil
}

// requestsFor is how many requests take about d, by the cost that a first run found.
func requestsFor(cost float64, d time.Duration) int {
	n := int(float64(d.Microseconds()) / max(cost, 1))
	return max(n, 500)
}

// The cores of the proxies and of the load generator. On a machine with one core they share it.
const (
	proxyCore = 0
	loadCore  = 1
)

// pin binds all threads of a process to one core. Threads that they start later inherit it.
func pin(pid, core int) error {
	var set unix.CPUSet
	set.Set(core)
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return err
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(tid, &set); err != nil && err != unix.ESRCH {
			return fmt.Errorf("binding %d to core %d: %w", pid, core, err)
		}
	}
	return nil
}
