package sink

// maxQueueBytes bounds the memory of a worker's queue, whatever its events hold.
const maxQueueBytes = 32 << 20

// maxHeirBytes bounds a queue that took over lines of other instances. They have room beside a full
// queue of the heir's own.
const maxHeirBytes = 2 * maxQueueBytes

// queue holds the lines that a receiver hasn't taken yet, in order.
type queue struct {
	lines     []queued // lines[head:] wait
	head      int
	bytes     int
	maxEvents int
}

// queued is a line.
type queued struct {
	text []byte
	// owed is true if nobody may call the line lost: it was sent, so that the receiver may have
	// stored it whatever it answered; or it comes from another instance, which has ended and can
	// tell no more gaps of its stream.
	owed bool
}

func (q *queue) len() int { return len(q.lines) - q.head }

// fits reports whether there is room for a line beside other lines that are still to come.
func (q *queue) fits(line []byte, events, bytes int) bool {
	return q.len()+events < q.maxEvents && q.bytes+bytes+len(line) <= maxQueueBytes
}

// inherit appends a line of an instance that has ended. lost is 1 if maxHeirBytes leaves no room
// for it, else 0.
func (q *queue) inherit(line queued) (lost int) {
	if q.bytes+len(line.text) > maxHeirBytes {
		return 1
	}
	q.force(queued{text: line.text, owed: true})
	return 0
}

// owed is how many of the lines are owed, and their bytes.
func owed(lines []queued) (events, bytes int) {
	for i := range lines {
		if lines[i].owed {
			events, bytes = events+1, bytes+len(lines[i].text)
		}
	}
	return events, bytes
}

// force appends a line, room or not. It keeps the line's bytes.
func (q *queue) force(line queued) {
	q.lines = append(q.lines, line)
	q.bytes += len(line.text)
}

// maxBatchBytes bounds a request, but for a single event that is longer.
const maxBatchBytes = 1 << 20

// batch is up to n of the oldest lines as newline-delimited JSON, to be sent, and how many they
// are.
func (q *queue) batch(n int) (body []byte, events int) {
	size := 0
	for i := range q.lines[q.head:] {
		length := len(q.lines[q.head+i].text)
		if events == n || events > 0 && size+length >= maxBatchBytes {
			break
		}
		size += length + 1
		events++
	}
	body = make([]byte, 0, size)
	for i := range events {
		line := &q.lines[q.head+i]
		line.owed = true
		body = append(append(body, line.text...), '\n')
	}
	return body, events
}

// pop removes the n oldest lines.
func (q *queue) pop(n int) {
	for i := range n {
		q.bytes -= len(q.lines[q.head+i].text)
		q.lines[q.head+i].text = nil
	}
	q.head += n
	if q.head > len(q.lines)/2 {
		kept := copy(q.lines, q.lines[q.head:])
		clear(q.lines[kept:])
		q.lines, q.head = q.lines[:kept], 0
	}
}

// roomy reports whether at least half of the queue is free.
func (q *queue) roomy() bool { return q.len() <= q.maxEvents/2 && q.bytes <= maxQueueBytes/2 }

// take empties the queue and returns its lines.
func (q *queue) take() []queued {
	lines := q.lines[q.head:]
	q.lines, q.head, q.bytes = nil, 0, 0
	return lines
}
