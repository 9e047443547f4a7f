package admin

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// config shows the version and the effective configuration.
func (a *API) config(*Request, string) Response {
	var body text
	body.quoted(`{"version":`, a.version)
	body.number(`,"config_hash":`, a.cfg.Hash)
	body.add(`,"config":`)
	body.add(string(a.cfg.Admin.Effective))
	return ofJSON(200, body, `,"admin":{"token":"***"}}`)
}

// ready is 200 if every provider has keys.
func (a *API) ready(*Request, string) Response {
	status, start := 200, `{"ready":true`
	body := text(`,"providers":[`)
	for i := range a.cfg.Tokens.Providers {
		p := &a.cfg.Tokens.Providers[i]
		word := `,"ready":true}`
		if p.Remote != nil && !a.proxy.Ready(i) {
			status, start, word = 503, `{"ready":false`, `,"ready":false}`
		}
		body.next(i)
		body.quoted(`{"name":`, p.Name)
		body.add(word)
	}
	return ofJSON(status, append(text(start), body...), `]}`)
}

// heads shows the last seq and mac of each stream of chained audit lines.
func (a *API) heads(*Request, string) Response {
	body := text{'['}
	a.eachLine(HeadsKey, func(line []byte) {
		if jsontext.Value(line).IsValid() { // other plugins may write to shared data
			body.next(len(body) - 1)
			body.add(string(line))
		}
	})
	return ofJSON(200, body, "]")
}

// eachLine yields the lines of a value of the shared data. They are valid until the store's next
// call.
func (a *API) eachLine(key string, yield func(line []byte)) {
	rest := read(a.store, key)
	for len(rest) > 0 {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			end = len(rest)
		}
		yield(rest[:end])
		rest = rest[min(end+1, len(rest)):]
	}
}

// Where an audit event has its timestamp: {"timestamp":"2006-01-02T15:04:05.000000Z"
const (
	timeFrom = len(`{"timestamp":"`)
	timeTo   = timeFrom + len(`2006-01-02T15:04:05.000000Z`)
)

// refusals shows the last refusals, newest first. Workers share theirs a moment later, each in one
// go, so that the order in which they are kept is almost that of their timestamps.
func (a *API) refusals(*Request, string) Response {
	var events []string
	next := number(read(a.store, refusedKey))
	for n := next - min(next, Refusals); n < next; n++ {
		value := read(a.store, slotKey(n))
		if len(value) < 8+timeTo || number(value[:8]) != n || !jsontext.Value(value[8:]).IsValid() {
			continue
		}
		event := string(value[8:])
		at := len(events)
		events = append(events, "")
		for at > 0 && events[at-1][timeFrom:timeTo] > event[timeFrom:timeTo] {
			events[at] = events[at-1]
			at--
		}
		events[at] = event
	}
	body := text{'['}
	for i := range events {
		body.next(i)
		body.add(events[len(events)-1-i])
	}
	return ofJSON(200, body, "]")
}
