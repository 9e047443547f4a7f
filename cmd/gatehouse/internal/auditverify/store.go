package auditverify

import (
	"fmt"
	"os"

	"gatehouse/core/audit"
)

// store remembers the mac of each verified line by its place, in constant memory: what doesn't fit
// in the cache is in a temporary file. It answers whether a line was seen before, and whether the
// line before a given one was.
type store struct {
	file   *os.File // nil until something has to be evicted
	chunks map[place]*chunk
	cached []*chunk // those in memory, oldest first
	size   int64    // of the file
	max    int      // chunks in memory
	err    error    // the first of the temporary file; what is asked afterwards is absent
}

// place is where a chunk of macs belongs.
type place struct {
	stream *stream
	number uint64
}

const (
	chunkLines = 1024
	// keptBytes is how much of a mac is kept: whoever could find two lines with equal beginnings of
	// that length could forge macs.
	keptBytes  = 16
	chunkBytes = chunkLines * keptBytes
	maxCached  = 512 // chunks: 8 MB
)

type chunk struct {
	macs   *[chunkBytes]byte // nil when only in the file
	offset int64             // in the file, -1 when never written
	dirty  bool
}

type kept [keptBytes]byte

func newStore() *store { return &store{chunks: map[place]*chunk{}, max: maxCached} }

// get returns the beginning of the mac of a line; ok is false if no such line was put.
func (s *store) get(of *stream, seq uint64) (mac kept, ok bool) {
	c := s.chunks[place{of, seq / chunkLines}]
	if c == nil || !s.load(c) {
		return kept{}, false
	}
	at := seq % chunkLines * keptBytes
	copy(mac[:], c.macs[at:])
	return mac, mac != kept{}
}

// has reports whether a line with this mac was put.
func (s *store) has(of *stream, seq uint64, mac *[audit.MACBytes]byte) bool {
	got, ok := s.get(of, seq)
	return ok && got == kept(mac[:keptBytes])
}

// put remembers the mac of a line.
func (s *store) put(of *stream, seq uint64, mac *[audit.MACBytes]byte) {
	key := place{of, seq / chunkLines}
	c := s.chunks[key]
	if c == nil {
		c = &chunk{offset: -1}
		s.chunks[key] = c
	}
	if !s.load(c) {
		return
	}
	copy(c.macs[seq%chunkLines*keptBytes:], mac[:keptBytes])
	c.dirty = true
}

// load brings a chunk into memory.
func (s *store) load(c *chunk) bool {
	if c.macs != nil {
		return true
	}
	if s.err != nil {
		return false
	}
	macs := new([chunkBytes]byte)
	if len(s.cached) >= s.max {
		old := s.cached[0]
		s.cached = append(s.cached[:0], s.cached[1:]...)
		if !s.save(old) {
			return false
		}
		macs, old.macs = old.macs, nil
		clear(macs[:])
	}
	if c.offset >= 0 {
		if _, err := s.file.ReadAt(macs[:], c.offset); err != nil {
			s.err = fmt.Errorf("temporary file: %w", err)
			return false
		}
	}
	c.macs = macs
	s.cached = append(s.cached, c)
	return true
}

func (s *store) save(c *chunk) bool {
	if !c.dirty {
		return true
	}
	if s.file == nil {
		if s.file, s.err = os.CreateTemp("", "gatehouse-audit-"); s.err != nil {
			return false
		}
	}
	if c.offset < 0 {
		c.offset = s.size
		s.size += chunkBytes
	}
	if _, err := s.file.WriteAt(c.macs[:], c.offset); err != nil {
		s.err = fmt.Errorf("temporary file: %w", err)
		return false
	}
	c.dirty = false
	return true
}

// close removes the temporary file.
func (s *store) close() {
	if s.file != nil {
		_ = s.file.Close()
		_ = os.Remove(s.file.Name())
	}
}
