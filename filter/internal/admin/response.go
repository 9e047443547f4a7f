package admin

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"gatehouse/core"
)

// text builds a body. Its methods aren't inlined: the module would be a good deal larger.
type text []byte

//go:noinline
func (t *text) add(s string) { *t = append(*t, s...) }

// number adds s and a number.
//
//go:noinline
func (t *text) number(s string, n uint64) { *t = strconv.AppendUint(append(*t, s...), n, 10) }

// quoted adds s and a JSON string. Bytes that aren't UTF-8 become U+FFFD.
func (t *text) quoted(s, value string) {
	t.add(s)
	quoted, err := jsontext.AppendQuote(*t, value)
	if err != nil {
		t.add(`"\ufffd"`)
		return
	}
	*t = quoted
}

// next adds the comma between the elements of a list.
func (t *text) next(index int) {
	if index > 0 {
		t.add(",")
	}
}

var (
	headersOfJSON = []core.Header{{Name: "content-type", Value: "application/json"}, noStore, noSniff}
	headersOfText = []core.Header{{Name: "content-type", Value: "text/plain; version=0.0.4; charset=utf-8"}, noStore, noSniff}
	noHeaders     = []core.Header{noStore}
)

var (
	noStore = core.Header{Name: "cache-control", Value: "no-store"}
	noSniff = core.Header{Name: "x-content-type-options", Value: "nosniff"}
)

// ofJSON is an answer with a JSON body, which end completes.
func ofJSON(status int, body text, end string) Response {
	body.add(end)
	return Response{Status: status, Headers: headersOfJSON, Body: body}
}

// failure has a body like a gate's refusals.
//
//go:noinline
func failure(status int, detail string) Response {
	var body text
	body.quoted(`{"detail": `, detail)
	return ofJSON(status, body, "}")
}

// done answers a change that succeeded.
func done() Response {
	return Response{Status: 204, Headers: noHeaders}
}

// with adds a header.
func (r Response) with(name, value string) Response {
	r.Headers = append(r.Headers[:len(r.Headers):len(r.Headers)], core.Header{Name: name, Value: value})
	return r
}
