package proxy

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// anyRequest draws a request that is framed without doubt, as bytes.
func anyRequest(t *rapid.T) string {
	value := rapid.StringMatching(`[!-~]{0,70}( [!-~]{1,9})?`)
	var b strings.Builder
	b.WriteString(rapid.SampledFrom([]string{"GET", "POST", "PRI", "delete"}).Draw(t, "method") + " /" + rapid.StringMatching(`[a-z:]{0,80}`).Draw(t, "path") + " HTTP/1.1\r\nHost: a\r\n")
	for range rapid.IntRange(0, 3).Draw(t, "fields") {
		b.WriteString(rapid.StringMatching(`x-[a-z]{1,70}`).Draw(t, "name") + ":" + value.Draw(t, "value") + "\r\n")
	}
	body := rapid.StringMatching("(\r\n| |\t|[a-z0-9:]|Content-Length: 1){0,40}").Draw(t, "body")
	switch rapid.IntRange(0, 2).Draw(t, "framing") {
	case 0:
		b.WriteString("\r\n")
	case 1:
		b.WriteString(rapid.SampledFrom([]string{"Content-Length: ", "content-length:", "CONTENT-LENGTH:\t"}).Draw(t, "field") + itoa(len(body), 10) + "\r\n\r\n" + body)
	default:
		b.WriteString(rapid.SampledFrom([]string{"Transfer-Encoding: chunked", "transfer-encoding:Chunked"}).Draw(t, "field") + "\r\n\r\n")
		for len(body) > 0 {
			n := rapid.IntRange(1, len(body)).Draw(t, "chunk")
			b.WriteString(itoa(n, 16) + rapid.SampledFrom([]string{"", ";a=b", ";\"c\"", "  "}).Draw(t, "extension") + "\r\n" + body[:n] + "\r\n")
			body = body[n:]
		}
		b.WriteString("0\r\n" + rapid.SampledFrom([]string{"", "x-t: 1\r\n", "x-t: 1\r\ncontent-length: 5\r\n"}).Draw(t, "trailers") + "\r\n")
	}
	return b.String()
}

func itoa(n, base int) string {
	digits := ""
	for {
		digits = "0123456789abcdef"[n%base:n%base+1] + digits
		if n /= base; n == 0 {
			return digits
		}
	}
}

// scanned returns what the scanner makes of the bytes, which come in pieces.
func scanned(t *rapid.T, s *scanner, text string) string {
	var out bytes.Buffer
	for b := []byte(text); len(b) > 0; {
		n := rapid.IntRange(1, len(b)).Draw(t, "piece")
		s.scan(b[:n])
		out.Write(b[:n])
		b = b[n:]
	}
	return out.String()
}

func TestTheScannerTouchesNoProperRequest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s scanner
		text := ""
		for range rapid.IntRange(1, 4).Draw(t, "requests") {
			text += anyRequest(t)
		}
		require.Equal(t, text, scanned(t, &s, text))
		require.Equal(t, inRequestLine, s.state, "the next request may come")
	})
}

// net/http reads the requests before as they are, and refuses what the scanner has spoiled.
func TestTheScannerSpoilsWhatIsFramedTwiceOrFolded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s scanner
		before := rapid.IntRange(0, 3).Draw(t, "requests before")
		text := ""
		for range before {
			text += anyRequest(t)
		}
		text += "POST / HTTP/1.1\r\nHost: a\r\n" + rapid.SampledFrom([]string{
			"x: 1\r\n 2\r\n", "x: 1\r\n\t\r\n", "x: 1\r\n content-length: 2\r\n", "x:\r\n y\r\n",
			"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "transfer-encoding: chunked\r\nCONTENT-LENGTH: 1\r\n",
			"Content-Length: 1\r\nContent-Length: 1\r\n",
		}).Draw(t, "fields") + "\r\n0\r\n\r\n"
		r := bufio.NewReader(strings.NewReader(scanned(t, &s, text)))
		for range before {
			req, err := http.ReadRequest(r)
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, req.Body)
			require.NoError(t, err)
		}
		_, err := http.ReadRequest(r)
		require.Error(t, err)
	})
}
