package ratelimit_test

import (
	"slices"
	"sort"

	"gatehouse/core/ratelimit"
)

// oracle keeps every charge of one identifier with its moment, and decides by adding them up.
type oracle struct {
	windows []ratelimit.Window
	charges []entry  // in the order of their moments
	sums    []uint64 // sums[i] is the cost of charges[:i]

	// compacted is true for a window that has held more charges than a log and has not been empty
	// since. Then only bounds are promised.
	compacted [ratelimit.MaxWindows]bool
}

type entry struct {
	at   int64
	cost uint64
}

// hold is how much longer than its window a charge may count once compacted.
func hold(w ratelimit.Window) int64 { return w.Length / ratelimit.LogEntries }

// live is the charges of a window that count at now if each counts for extra longer, and their
// cost.
func (o *oracle) live(w ratelimit.Window, now, extra int64) (live []entry, total uint64) {
	i := sort.Search(len(o.charges), func(i int) bool { return now-o.charges[i].at < w.Length+extra })
	if i == len(o.charges) {
		return nil, 0
	}
	return o.charges[i:], o.sums[len(o.charges)] - o.sums[i]
}

func (o *oracle) fits(i int, now, extra int64, cost uint64) bool {
	_, total := o.live(o.windows[i], now, extra)
	return total+cost <= o.windows[i].Max
}

// retry is the moment from which cost fits window i.
func (o *oracle) retry(i int, now, extra int64, cost uint64) int64 {
	w := o.windows[i]
	if cost > w.Max {
		return now + w.Length // it never fits
	}
	live, total := o.live(w, now, extra)
	for _, c := range live {
		if total+cost <= w.Max {
			break
		}
		total -= c.cost
		now = c.at + w.Length + extra
	}
	return now
}

// settle notes, before a decision at now, which windows are empty.
func (o *oracle) settle(now int64) {
	for i, w := range o.windows {
		if live, _ := o.live(w, now, hold(w)); len(live) == 0 {
			o.compacted[i] = false
		}
	}
}

func (o *oracle) add(at int64, cost uint64) {
	for i, w := range o.windows {
		if live, _ := o.live(w, at, 0); len(live) >= ratelimit.LogEntries {
			o.compacted[i] = true
		}
	}
	if len(o.charges) == 0 {
		o.sums = []uint64{0}
	}
	o.charges = append(o.charges, entry{at, cost})
	o.sums = append(o.sums, o.sums[len(o.sums)-1]+cost)
}

// remove refunds one such charge.
func (o *oracle) remove(at int64, cost uint64) {
	i := slices.Index(o.charges, entry{at, cost})
	o.charges = slices.Delete(o.charges, i, i+1)
	o.sums = slices.Delete(o.sums, i+1, i+2)
	for j := i + 1; j < len(o.sums); j++ {
		o.sums[j] -= cost
	}
}
