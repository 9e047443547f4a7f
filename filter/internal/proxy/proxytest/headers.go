package proxytest

import (
	"slices"
	"strconv"
	"strings"

	"gatehouse/filter/internal/proxy"
)

// headerMap finds a header map: of a call's answer, or of the stream that calls act on.
func (p *Proxy) headerMap(m proxy.Map) ([]Header, *Stream, error) {
	if m == proxy.CallHeaders {
		if p.answer == nil {
			return nil, nil, proxy.BadArgument
		}
		return p.answer.Headers, nil, nil
	}
	s, err := p.stream()
	if err != nil {
		return nil, nil, err
	}
	headers, ok := s.Headers[m]
	if !ok {
		return nil, nil, proxy.BadArgument
	}
	return headers, s, nil
}

func subject(m proxy.Map, name string) string { return strconv.Itoa(int(m)) + " " + name }

// Headers implements proxy.Proxy.
func (p *Proxy) Headers(m proxy.Map) ([]byte, error) {
	if err := p.call("Headers", subject(m, "")); err != nil {
		return nil, err
	}
	headers, _, err := p.headerMap(m)
	if err != nil {
		return nil, err
	}
	return p.give(proxy.AppendPairs(nil, headers)), nil
}

// Header implements proxy.Proxy.
func (p *Proxy) Header(m proxy.Map, name string) (string, error) {
	if err := p.call("Header", subject(m, name)); err != nil {
		return "", err
	}
	headers, _, err := p.headerMap(m)
	if err != nil {
		return "", err
	}
	for _, h := range headers {
		if h.Name == name {
			return h.Value, nil
		}
	}
	return "", proxy.NotFound
}

// SetHeader implements proxy.Proxy.
func (p *Proxy) SetHeader(m proxy.Map, name, value string) error {
	if err := p.call("SetHeader", subject(m, name)); err != nil {
		return err
	}
	headers, s, err := p.headerMap(m)
	if err != nil {
		return err
	}
	s.Headers[m] = append(without(headers, name), Header{strings.Clone(name), strings.Clone(value)})
	return nil
}

// RemoveHeader implements proxy.Proxy.
func (p *Proxy) RemoveHeader(m proxy.Map, name string) error {
	if err := p.call("RemoveHeader", subject(m, name)); err != nil {
		return err
	}
	headers, s, err := p.headerMap(m)
	if err != nil {
		return err
	}
	s.Headers[m] = without(headers, name)
	return nil
}

func without(headers []Header, name string) []Header {
	return slices.DeleteFunc(slices.Clone(headers), func(h Header) bool { return h.Name == name })
}
