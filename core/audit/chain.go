package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strconv"
)

// MACBytes is the length of a mac: HMAC-SHA-256 (RFC 2104, FIPS 180-4).
const MACBytes = sha256.Size

// MAC computes the macs of chained lines under one key. It isn't safe for concurrent use.
type MAC struct {
	hmac hash.Hash
	sum  [MACBytes]byte
}

// NewMAC returns a MAC for a key. ParseKey says which keys are good ones.
func NewMAC(key []byte) *MAC { return &MAC{hmac: hmac.New(sha256.New, key)} }

// Sum returns the mac of a line: the HMAC of the previous line's mac and of the line's bytes before
// "chain". The result is valid until the next call.
func (m *MAC) Sum(prev, signed []byte) []byte {
	m.hmac.Reset() // after the first Sum it restores the hashed key; it doesn't hash the key again
	m.hmac.Write(prev)
	m.hmac.Write(signed)
	return m.hmac.Sum(m.sum[:0])
}

// Chain chains the audit lines of one stream. A stream is the life of one worker's VM under one
// key. It begins with seq 0, and the prev of its first line is all zeros.
type Chain struct {
	mac   *MAC
	label []byte // what precedes seq
	next  uint64 // seq of the next line
	head  Head
}

// Head is the end of a stream: the seq and the mac of its last line. A head that is kept where the
// logs aren't proves that no line up to it was cut off.
type Head struct {
	KeyID  string
	Stream string
	Seq    uint64
	MAC    [MACBytes]byte
}

// NewChain begins a stream. Neither keyID nor stream may need escapes in a JSON string. No two
// streams may have the same name.
func NewChain(keyID string, key []byte, stream string) *Chain {
	return &Chain{
		mac:   NewMAC(key),
		label: []byte(`"chain":{"key_id":"` + keyID + `","stream":"` + stream + `","seq":`),
		head:  Head{KeyID: keyID, Stream: stream},
	}
}

// Append adds the chain to a line that Event.AppendJSON has written, as the object's last member:
//
//	"chain":{"key_id":"k","stream":"s","seq":0,"prev":"HEX","mac":"HEX"}
//
// The mac covers the previous line's mac, as 32 bytes, and the line's bytes before "chain", the
// comma included. Append allocates nothing if line has room for about 300 bytes more.
func (c *Chain) Append(line []byte) []byte {
	line[len(line)-1] = ',' // in place of the object's }
	mac := c.mac.Sum(c.head.MAC[:], line)
	line = append(line, c.label...)
	line = strconv.AppendUint(line, c.next, 10)
	line = append(line, `,"prev":"`...)
	line = hex.AppendEncode(line, c.head.MAC[:])
	line = append(line, `","mac":"`...)
	line = hex.AppendEncode(line, mac)
	copy(c.head.MAC[:], mac)
	c.head.Seq = c.next
	c.next++
	return append(line, `"}}`...)
}

// Head returns the stream's head. ok is false if the stream has no line yet.
func (c *Chain) Head() (head Head, ok bool) { return c.head, c.next > 0 }

// AppendJSON appends the head as a JSON object:
//
//	{"key_id":"k","stream":"s","seq":41,"mac":"HEX"}
func (h *Head) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"key_id":"`...)
	dst = append(dst, h.KeyID...)
	dst = append(dst, `","stream":"`...)
	dst = append(dst, h.Stream...)
	dst = append(dst, `","seq":`...)
	dst = strconv.AppendUint(dst, h.Seq, 10)
	dst = append(dst, `,"mac":"`...)
	dst = hex.AppendEncode(dst, h.MAC[:])
	return append(dst, `"}`...)
}
