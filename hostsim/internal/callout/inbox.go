package callout

import (
	"io"
	"sync"
)

// inbox holds a guest's messages until the upstream reads them.
type inbox struct {
	mu      sync.Mutex
	changed *sync.Cond
	queue   [][]byte
	closed  bool
	// idle is set while a reader waits; done, once none will come again.
	idle, done bool
}

func newInbox() *inbox {
	b := &inbox{}
	b.changed = sync.NewCond(&b.mu)
	return b
}

func (b *inbox) next() ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.queue) == 0 && !b.closed {
		b.setIdle(true)
		b.changed.Wait()
	}
	if len(b.queue) == 0 {
		return nil, io.EOF
	}
	msg := b.queue[0]
	b.queue = b.queue[1:]
	return msg, nil
}

func (b *inbox) put(msg []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = append(b.queue, msg)
	b.setIdle(false)
}

func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		b.setIdle(false)
	}
}

func (b *inbox) setIdle(idle bool) {
	b.idle = idle
	b.changed.Broadcast()
}

// finish notes that nobody reads any more.
func (b *inbox) finish() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed, b.done, b.queue = true, true, nil
	b.setIdle(true)
}

// settle waits until the reader has read everything and waits itself, or is
// gone.
func (b *inbox) settle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for !b.idle && !b.done {
		b.changed.Wait()
	}
}
