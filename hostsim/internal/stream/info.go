package stream

import (
	"strconv"
	"time"
)

// Info is what a proxy knows of a stream beside its headers and bodies.
type Info struct {
	Protocol string
	// Source, Destination and Upstream are host and port.
	Source, Destination, Upstream       string
	ConnectionID                        uint64
	RouteName, ClusterName, VirtualHost string
	// Metadata is by filter name, then key; values are as encoding/json decodes them.
	Metadata map[string]map[string]any
	Arrived  time.Time
}

// progress is what becomes known of a stream as it goes on.
type progress struct {
	filterState map[string][]byte
	start       time.Duration
	duration    time.Duration // set at the end
	finished    bool

	code                      int
	details                   string
	hasDetails                bool
	upstreamSeen              bool // the response came from an upstream
	requestSize, responseSize int
}

// setDetails notes the response code details, which may be empty.
func (p *progress) setDetails(details string) { p.details, p.hasDetails = details, true }

// setStatus takes the response code from :status.
func (p *progress) setStatus(h *Headers) {
	if code, err := strconv.Atoi(h.Get(":status")); err == nil {
		p.code = code
	}
}

func (p *progress) finish(now time.Duration) {
	p.duration = now - p.start
	p.finished = true
}
