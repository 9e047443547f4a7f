package callout

import (
	"slices"
	"sync"
)

// heldList holds the callouts that wait for a test's answer.
type heldList struct {
	mu   sync.Mutex
	list []*HeldCallout
}

func (l *heldList) add(c *HeldCallout) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, c)
}

// HeldCallout is an HTTP callout that waits for an answer, in the mode Held.
type HeldCallout struct {
	*HTTPCall
	callout *httpCallout
}

// Held returns the callouts that wait for an answer, oldest first. Callouts that have timed out or
// whose VM failed are no longer among them.
func (d *Dispatcher) Held() []*HeldCallout {
	// A thread that dispatches takes the list's lock while it holds its own. So a thread must not
	// be locked under the list's lock.
	d.held.mu.Lock()
	list := slices.Clone(d.held.list)
	d.held.mu.Unlock()
	var waiting []*HeldCallout
	gone := map[*HeldCallout]bool{}
	for _, c := range list {
		if c.waiting() {
			waiting = append(waiting, c)
		} else {
			gone[c] = true
		}
	}
	d.held.mu.Lock()
	d.held.list = slices.DeleteFunc(d.held.list, func(c *HeldCallout) bool { return gone[c] })
	d.held.mu.Unlock()
	return waiting
}

func (c *HeldCallout) waiting() (waiting bool) {
	set := c.callout.set
	set.guest.Only(func() { waiting = set.http[c.callout.token] == c.callout })
	return waiting
}

// Reply answers the callout; nil is the same as Break. It does nothing if the guest no longer
// waits.
func (c *HeldCallout) Reply(reply *HTTPReply) {
	c.callout.set.guest.Do(func() { c.callout.deliver(reply, nil) })
}

// Unreachable answers the callout with the 503 that Envoy makes when it can't connect.
func (c *HeldCallout) Unreachable() { c.Reply(unreachableReply) }

// Break ends the callout as ErrReset does.
func (c *HeldCallout) Break() {
	c.callout.set.guest.Do(func() { c.callout.deliver(nil, ErrReset) })
}
