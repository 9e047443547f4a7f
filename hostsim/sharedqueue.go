package hostsim

import (
	"sync"

	"gatehouse/hostsim/abi"
)

// sharedQueues are the process's queues, each known by its vm_id and name.
type sharedQueues struct {
	mu     sync.Mutex
	tokens map[queueName]uint32
	queues map[uint32]*sharedQueue
}

type queueName struct{ vmID, name string }

type sharedQueue struct {
	items [][]byte
	// notify tells the last VM that registered the queue; as in Envoy a later
	// registration takes the notifications over.
	notify func(token uint32)
}

func newSharedQueues() *sharedQueues {
	return &sharedQueues{tokens: map[queueName]uint32{}, queues: map[uint32]*sharedQueue{}}
}

func (q *sharedQueues) register(vmID, name string, notify func(uint32)) uint32 {
	q.mu.Lock()
	defer q.mu.Unlock()
	key := queueName{vmID, name}
	token := q.tokens[key]
	if token == 0 {
		token = uint32(len(q.tokens)) + 1
		q.tokens[key] = token
		q.queues[token] = &sharedQueue{}
	}
	q.queues[token].notify = notify
	return token
}

func (q *sharedQueues) resolve(vmID, name string) (uint32, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	token, ok := q.tokens[queueName{vmID, name}]
	return token, ok
}

func (q *sharedQueues) enqueue(token uint32, item []byte) abi.Status {
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

func (q *sharedQueues) dequeue(token uint32) ([]byte, abi.Status) {
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
