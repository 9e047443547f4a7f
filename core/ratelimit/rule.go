package ratelimit

import (
	"errors"
	"math"
)

// MaxWindows is how many windows one rule can have.
const MaxWindows = 4

// MaxLength bounds a window: 86,400 s, in nanoseconds.
const MaxLength = 86_400 * 1_000_000_000

// LogEntries is how many charges a window keeps as an exact log. Above that it is compacted into
// slots of Length/LogEntries, and a charge may count for one slot longer.
const LogEntries = 512

// Window is a limit over time: the cost admitted in any span of Length nanoseconds is at most Max.
type Window struct {
	Max    uint64 // 1 or more
	Length int64  // nanoseconds: a multiple of LogEntries (as every whole second is), LogEntries..MaxLength
}

// Rule is one limit. A charge is admitted if it fits all of the rule's windows.
type Rule struct {
	Name    string
	Windows []Window // 1..MaxWindows

	// KeyedBy says how identifiers are made, in any canonical spelling (elements, prefix lengths).
	// It is only compared: a rule whose Name, Windows, KeyedBy or number of buckets changes starts
	// empty.
	KeyedBy string

	// MaxIdentifiers is how many identifiers the rule has room for at once. The package comment has
	// the arithmetic.
	MaxIdentifiers int

	// MinCost is the lowest cost that is ever charged; 0 counts as 1. An identifier with less than
	// that remaining has reached its limit, and is not evicted for a new one.
	MinCost uint64
}

// MaxIdentifiersLimit bounds Rule.MaxIdentifiers.
const MaxIdentifiersLimit = 1 << 26

func (r *Rule) check() error {
	if len(r.Windows) == 0 || len(r.Windows) > MaxWindows {
		return errors.New("ratelimit: rule " + r.Name + ": want 1..4 windows")
	}
	if r.MaxIdentifiers < 1 || r.MaxIdentifiers > MaxIdentifiersLimit {
		return errors.New("ratelimit: rule " + r.Name + ": want 1..67108864 identifiers")
	}
	for _, w := range r.Windows {
		if w.Max == 0 || w.Max > math.MaxInt64 {
			return errors.New("ratelimit: rule " + r.Name + ": want a maximum of 1..2^63-1")
		}
		if w.Length < LogEntries || w.Length > MaxLength || w.Length%LogEntries != 0 {
			return errors.New("ratelimit: rule " + r.Name + ": want a length of up to 86400 s, in whole 512ths")
		}
	}
	return nil
}
