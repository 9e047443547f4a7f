package audit

import (
	"bytes"
	"errors"
	"strconv"
)

// Link is the chain member of a line. KeyID and Stream alias the line.
type Link struct {
	KeyID  []byte
	Stream []byte
	Seq    uint64
	Prev   [MACBytes]byte // the mac of the stream's previous line; zeros if Seq is 0
	MAC    [MACBytes]byte
}

// Errors of ParseLink.
var (
	// ErrNotChained means that the line has no chain.
	ErrNotChained = errors.New("the line has no chain")
	// ErrBadLink means that the line has a chain that Chain.Append can't have written.
	ErrBadLink = errors.New("the line's chain is malformed")
)

var chainStart = []byte(`,"chain":{"key_id":"`)

// ParseLink reads the chain of a line, which must be as Chain.Append writes it, to the byte. signed
// is the part of the line that the mac covers beside Prev; it aliases the line. ParseLink doesn't
// check the mac.
func ParseLink(line []byte) (link Link, signed []byte, err error) {
	start := bytes.LastIndex(line, chainStart)
	if start < 0 {
		return Link{}, nil, ErrNotChained
	}
	p := linkParser{rest: line[start+len(chainStart):], ok: true}
	link.KeyID = p.text(`","stream":"`)
	link.Stream = p.text(`","seq":`)
	link.Seq = p.number(`,"prev":"`)
	p.mac(&link.Prev, `","mac":"`)
	p.mac(&link.MAC, `"}}`)
	if !p.ok || len(p.rest) > 0 {
		return Link{}, nil, ErrBadLink
	}
	return link, line[:start+1], nil
}

// linkParser reads values that are each followed by a fixed text.
type linkParser struct {
	rest []byte
	ok   bool
}

// until returns what precedes end, and goes on after it.
func (p *linkParser) until(end string) []byte {
	value, rest, found := bytes.Cut(p.rest, []byte(end))
	if !found {
		p.ok = false
		return nil
	}
	p.rest = rest
	return value
}

func (p *linkParser) text(end string) []byte {
	value := p.until(end)
	if len(value) == 0 || bytes.ContainsAny(value, `"\`) {
		p.ok = false
	}
	return value
}

func (p *linkParser) number(end string) uint64 {
	value := p.until(end)
	n, err := strconv.ParseUint(string(value), 10, 64)
	if err != nil || len(value) > 1 && value[0] == '0' {
		p.ok = false
	}
	return n
}

func (p *linkParser) mac(into *[MACBytes]byte, end string) {
	value := p.until(end)
	if len(value) != 2*MACBytes {
		p.ok = false
		return
	}
	for i := range into {
		high, okHigh := hexDigit(value[2*i])
		low, okLow := hexDigit(value[2*i+1])
		if !okHigh || !okLow {
			p.ok = false
			return
		}
		into[i] = high<<4 | low
	}
}

// hexDigit reads a digit in lower case, as Append writes it: a line has one spelling. hex.Decode
// would take both, and its errors would link fmt into the filter.
func hexDigit(c byte) (v byte, ok bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}
