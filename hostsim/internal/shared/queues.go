package shared

import (
	"sync"

	"gatehouse/hostsim/abi"
)

// Queues are the process's queues, each known by its vm_id and name.
type Queues struct {
	mu     sync.Mutex
	tokens map[queueName]uint32
	queues map[uint32]*queue
}

type queueName struct{ vmID, name string }

type queue struct {
	items [][]byte
	// notify tells the last VM that registered the queue; as in Envoy a later
	// registration takes the notifications over.
	notify func(token uint32)
}

// NewQueues returns no queues yet.
func NewQueues() *Queues {
	return &Queues{tokens: map[queueName]uint32{}, queues: map[uint32]*queue{}}
}

// Register returns the token of a queue, which is made if it does not exist. notify is called with
// it after each item, on any goroutine.
func (q *Queues) Register(vmID, name string, notify func(uint32)) uint32 {
	q.mu.Lock()
	defer q.mu.Unlock()
	key := queueName{vmID, name}
	token := q.tokens[key]
	if token == 0 {
		token = uint32(len(q.tokens)) + 1
		q.tokens[key] = token
		q.queues[token] = &queue{}
	}
	q.queues[token].notify = notify
	return token
}

// Resolve returns the token of a queue, and whether it exists.
func (q *Queues) Resolve(vmID, name string) (uint32, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	token, ok := q.tokens[queueName{vmID, name}]
	return token, ok
}

// Enqueue adds a copy of item to a queue and notifies its VM.
func (q *Queues) Enqueue(token uint32, item []byte) abi.Status {
	q.mu.Lock()
	sq := q.queues[token]
	if sq == nil {
		q.mu.Unlock()
		return abi.NotFound
	}
	sq.items = append(sq.items, append([]byte(nil), item...))
	notify := sq.notify
	q.mu.Unlock()
	notify(token)
	return abi.OK
}

// Dequeue takes the oldest item of a queue; the status is Empty if there is none.
func (q *Queues) Dequeue(token uint32) ([]byte, abi.Status) {
	q.mu.Lock()
	defer q.mu.Unlock()
	sq := q.queues[token]
	if sq == nil {
		return nil, abi.NotFound
	}
	if len(sq.items) == 0 {
		return nil, abi.Empty
	}
	item := sq.items[0]
	sq.items = sq.items[1:]
	return item, abi.OK
}
