package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// report is what the log proves about one group.
//
// A decision's moment isn't known, only its bracket: so there are two loads of a window at each
// moment. The certain load counts what was admitted in the window wherever in its bracket each
// decision fell; the possible load what can have been. If the certain load exceeds the limit, the
// limiter has over-admitted. If the possible load doesn't, it can't have. What remains is
// undecided, by a margin of the order of the brackets' length.
type report struct {
	Group     string         `json:"group"`
	Callers   int            `json:"callers"`
	Decisions int            `json:"decisions"`
	Admitted  int            `json:"admitted"`
	Refused   int            `json:"refused"`
	Windows   []windowReport `json:"windows"`

	// NeedlessCertain counts the refusals at moments when all windows had room, wherever in their
	// brackets all decisions fell; NeedlessAtMost those at moments when they may have had. An
	// admitted request takes room for a window's length, and for 1/512 longer where the limit is
	// above 512 (the limiter's contract).
	NeedlessCertain int `json:"needless_certain"`
	NeedlessAtMost  int `json:"needless_at_most"`

	// MedianBracket and LongestBracket, in microseconds, say how sharply the log tells moments.
	MedianBracket  float64 `json:"median_bracket_us"`
	LongestBracket float64 `json:"longest_bracket_us"`
}

// windowReport is what the log proves about one of a group's windows.
type windowReport struct {
	Max     int     `json:"max"`
	Seconds float64 `json:"seconds"`

	// Over counts the admissions at which a window certainly held more than Max.
	Over int `json:"over"`

	// Undecided counts the admissions at which it may have, but need not. Shortfall says by how
	// little: that no window shorter by so many microseconds held more than Max is proven for all
	// admissions.
	Undecided int     `json:"undecided"`
	Shortfall float64 `json:"shortfall_us"`

	// Full counts the admissions that made the certain load equal to Max: the windows that the
	// limit was the limit of.
	Full int `json:"full"`
}

func check(l log, all limits) ([]report, error) {
	var out []report
	for _, group := range slices.Sorted(maps.Keys(l)) {
		windows := all[group]
		if len(windows) == 0 {
			return nil, fmt.Errorf("no -limit for group %q", group)
		}
		out = append(out, checkGroup(group, l[group], windows))
	}
	return out, nil
}

func checkGroup(name string, callers map[string][]decision, windows []window) report {
	r := report{Group: name, Callers: len(callers)}
	for _, w := range windows {
		r.Windows = append(r.Windows, windowReport{Max: w.max, Seconds: w.length.Seconds()})
	}
	var brackets []int64
	for _, decisions := range callers {
		var admitted, refused []decision
		for _, d := range decisions {
			brackets = append(brackets, d.latest-d.earliest)
			if d.admitted {
				admitted = append(admitted, d)
			} else {
				refused = append(refused, d)
			}
		}
		r.Decisions += len(decisions)
		r.Admitted += len(admitted)
		r.Refused += len(refused)
		for i, w := range windows {
			r.Windows[i].add(admitted, w)
		}
		r.addRefusals(admitted, refused, windows)
	}
	slices.Sort(brackets)
	r.MedianBracket = microseconds(brackets[len(brackets)/2])
	r.LongestBracket = microseconds(brackets[len(brackets)-1])
	return r
}

func microseconds(ns int64) float64 { return float64(ns) / 1e3 }

// add looks for windows that held too much.
func (r *windowReport) add(admitted []decision, w window) {
	for _, load := range certainLoad(admitted, int64(w.length)) {
		if load.grown && load.n > w.max {
			r.Over++
		}
		if load.grown && load.n == w.max {
			r.Full++
		}
	}
	var undecided []int64
	for _, load := range possibleLoad(admitted, int64(w.length)) {
		if load.grown && load.n > w.max {
			undecided = append(undecided, load.at)
		}
	}
	r.Undecided += len(undecided)
	for _, at := range undecided {
		r.Shortfall = max(r.Shortfall, microseconds(shortfall(admitted, w, at)))
	}
}

// shortfall is by how much the window that ends at a moment must be shortened to hold no more than
// its limit for sure. With the decisions that can have been taken by then, the latest first, the
// one that is too many must be out.
func shortfall(admitted []decision, w window, at int64) int64 {
	var latest []int64
	for _, d := range admitted {
		if d.earliest <= at {
			latest = append(latest, min(d.latest, at))
		}
	}
	slices.Sort(latest)
	tooMany := latest[len(latest)-1-w.max]
	return int64(w.length) - (at - tooMany)
}

// addRefusals looks for refusals without need.
func (r *report) addRefusals(admitted, refused []decision, windows []window) {
	certain, possible := make([]loads, len(windows)), make([]loads, len(windows))
	for i, w := range windows {
		length := int64(w.length)
		if w.max > 512 {
			length += length / 512
		}
		certain[i], possible[i] = certainLoad(admitted, length), possibleLoad(admitted, length)
	}
	for _, d := range refused {
		surely, maybe := true, true
		for i, w := range windows {
			_, most := possible[i].between(d.earliest, d.latest)
			least, _ := certain[i].between(d.earliest, d.latest)
			surely = surely && most < w.max
			maybe = maybe && least < w.max
		}
		if surely {
			r.NeedlessCertain++
		}
		if maybe {
			r.NeedlessAtMost++
		}
	}
}

// load is how many admissions a window holds that ends at a moment, or until the next one.
type load struct {
	at    int64
	n     int
	grown bool // it is more than just before
}

// loads are in the order of time, one for each moment at which the number changes.
type loads []load

// An admission at t is in the windows that end from t on until before t plus the length. With t
// anywhere between earliest and latest that is certain from latest to before earliest + length, and
// possible from earliest to before latest + length.

func certainLoad(admitted []decision, length int64) loads {
	var changes []change
	for _, d := range admitted {
		if d.latest < d.earliest+length {
			changes = append(changes, change{d.latest, 1}, change{d.earliest + length, -1})
		}
	}
	return sum(changes)
}

func possibleLoad(admitted []decision, length int64) loads {
	var changes []change
	for _, d := range admitted {
		changes = append(changes, change{d.earliest, 1}, change{d.latest + length, -1})
	}
	return sum(changes)
}

type change struct {
	at int64
	by int
}

func sum(changes []change) loads {
	slices.SortFunc(changes, func(a, b change) int {
		return cmp.Compare(a.at, b.at)
	})
	var out loads
	n := 0
	for i := 0; i < len(changes); {
		before, at := n, changes[i].at
		for ; i < len(changes) && changes[i].at == at; i++ {
			n += changes[i].by
		}
		out = append(out, load{at, n, n > before})
	}
	return out
}

// between returns the least and the most of the loads from one moment to another, both included.
func (l loads) between(from, to int64) (least, most int) {
	i, found := slices.BinarySearchFunc(l, from, func(a load, at int64) int { return cmp.Compare(a.at, at) })
	if !found {
		i--
	}
	if i >= 0 {
		least, most = l[i].n, l[i].n
	}
	for i++; i < len(l) && l[i].at <= to; i++ {
		least, most = min(least, l[i].n), max(most, l[i].n)
	}
	return least, most
}
