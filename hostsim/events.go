package hostsim

import "sync"

// eventQueue holds what has to run outside of the lock under which it was
// found: work for other threads, and callouts.
type eventQueue struct {
	mu    sync.Mutex
	queue []func()
}

// post queues f, which runs on no thread and must take the lock it needs.
func (h *Host) post(f func()) {
	h.events.mu.Lock()
	defer h.events.mu.Unlock()
	h.events.queue = append(h.events.queue, f)
}

// postTo queues f to run on t.
func (h *Host) postTo(t *thread, f func()) {
	h.post(func() { t.only(f) })
}

// drain runs the queued events, and those that they queue. It must be called
// without any thread's lock.
func (h *Host) drain() {
	for {
		h.events.mu.Lock()
		if len(h.events.queue) == 0 {
			h.events.mu.Unlock()
			return
		}
		f := h.events.queue[0]
		h.events.queue = h.events.queue[1:]
		h.events.mu.Unlock()
		f()
	}
}
