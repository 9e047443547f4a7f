package envoytest

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Frames is an HTTP/2 connection whose frames are the test's own.
type Frames struct {
	*http2.Framer
	Wire *Wire
	text bytes.Buffer
	to   *hpack.Encoder
	from *hpack.Decoder
}

// DialHTTP2 opens a connection with prior knowledge (RFC 9113 §3.3).
func DialHTTP2(t *testing.T, address string) *Frames {
	t.Helper()
	w := Dial(t, address)
	_, err := io.WriteString(w, http2.ClientPreface)
	require.NoError(t, err)
	f := &Frames{Framer: http2.NewFramer(w, w.Reader), Wire: w, from: hpack.NewDecoder(4096, nil)}
	f.to = hpack.NewEncoder(&f.text)
	require.NoError(t, f.WriteSettings())
	require.NoError(t, f.WriteSettingsAck())
	return f
}

// Block encodes headers: names and values in turn.
func (f *Frames) Block(t *testing.T, fields ...string) []byte {
	t.Helper()
	f.text.Reset()
	for i := 0; i < len(fields); i += 2 {
		require.NoError(t, f.to.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}))
	}
	return bytes.Clone(f.text.Bytes())
}

// Open begins a request, with names and values in turn. ends is true if it has no body.
func (f *Frames) Open(t *testing.T, id uint32, ends bool, fields ...string) {
	t.Helper()
	require.NoError(t, f.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: f.Block(t, fields...), EndHeaders: true, EndStream: ends,
	}))
}

// Status waits for the headers of the next response, and returns its stream and status.
func (f *Frames) Status(t *testing.T) (id uint32, status string) {
	t.Helper()
	for {
		frame, err := f.ReadFrame()
		require.NoError(t, err)
		h, ok := frame.(*http2.HeadersFrame)
		if !ok {
			continue
		}
		require.True(t, h.HeadersEnded())
		fields, err := f.from.DecodeFull(h.HeaderBlockFragment())
		require.NoError(t, err)
		for _, field := range fields {
			if field.Name == ":status" {
				return h.StreamID, field.Value
			}
		}
	}
}
