package thread

import "sync"

// Queue holds what has to run outside of the lock under which it was found: work for other threads,
// and callouts.
type Queue struct {
	mu   sync.Mutex
	list []func()
}

// Post queues f, which runs on no thread and must take the lock it needs.
func (q *Queue) Post(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.list = append(q.list, f)
}

// Drain runs what is queued, and what that queues. It must be called without any thread's lock.
func (q *Queue) Drain() {
	for {
		q.mu.Lock()
		if len(q.list) == 0 {
			q.mu.Unlock()
			return
		}
		f := q.list[0]
		q.list = q.list[1:]
		q.mu.Unlock()
		f()
	}
}
