package auditverify

import (
	"encoding/binary"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/audit"
)

func TestMacsAreFoundAgainFromTheTemporaryFile(t *testing.T) {
	s := newStore()
	s.max = 2
	t.Cleanup(s.close)
	streams := []*stream{{}, {}, {}}
	mac := func(of int, seq uint64) (m [audit.MACBytes]byte) {
		binary.LittleEndian.PutUint64(m[:], seq+1)
		m[8] = byte(of + 1)
		return m
	}
	const lines = 5000
	for seq := range uint64(lines) {
		for of := range streams {
			m := mac(of, seq)
			s.put(streams[of], seq, &m)
		}
	}
	require.NoError(t, s.err)
	require.NotNil(t, s.file)
	assert.LessOrEqual(t, len(s.cached), 2)
	for _, seq := range []uint64{0, 1, 1023, 1024, 2048, 4999, 0} {
		for of := range streams {
			m := mac(of, seq)
			assert.True(t, s.has(streams[of], seq, &m))
			m[3]++
			assert.False(t, s.has(streams[of], seq, &m))
		}
	}
	_, ok := s.get(streams[0], lines)
	assert.False(t, ok)
	_, ok = s.get(&stream{}, 0)
	assert.False(t, ok)
	name := s.file.Name()
	s.close()
	_, err := os.Stat(name)
	assert.ErrorIs(t, err, os.ErrNotExist)
}
