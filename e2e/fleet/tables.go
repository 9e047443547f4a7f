package fleet

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// spreads are the numbers of proxies that a caller's requests reach, from a balancer that hashes
// the caller to one that takes any.
var spreads = []int{1, 10, 1000}

// Tables returns what the page shows, by the name in its marker.
func Tables() map[string]string {
	outcomes := make([]Outcome, len(spreads))
	for i, k := range spreads {
		outcomes[i] = Large.Run(k)
	}
	return map[string]string{
		"fleet": fleetTable(outcomes), "shares": sharesTable(), "fixed": fixedTable(),
	}
}

func fleetTable(outcomes []Outcome) string {
	var b strings.Builder
	b.WriteString("| proxies that one caller's requests reach |")
	for _, k := range spreads {
		fmt.Fprintf(&b, " %s |", digits(float64(k)))
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(spreads)) + "\n")
	row := func(name string, figure func(o *Outcome) string) {
		b.WriteString("| " + name + " |")
		for i := range outcomes {
			b.WriteString(" " + figure(&outcomes[i]) + " |")
		}
		b.WriteString("\n")
	}
	row("requests/s that an exact limit over the fleet would admit", func(o *Outcome) string { return digits(o.Ideal) })
	row("admitted by local windows alone, over that", func(o *Outcome) string { return times(o.Local / o.Ideal) })
	row("… of the busiest caller, over its limit", func(o *Outcome) string { return digits(o.Busiest) })
	row("admitted by both stages, over that", func(o *Outcome) string { return times(o.Both / o.Ideal) })
	row("questions/s to the service", func(o *Outcome) string { return digits(o.Local) })
	row("Redis commands/s, service alone", func(o *Outcome) string { return digits(o.Bare) })
	row("… after the local windows", func(o *Outcome) string { return digits(o.LocalFirst) })
	row("… with the service's local cache", func(o *Outcome) string { return digits(o.Cached) })
	row("… with both", func(o *Outcome) string { return digits(o.LocalCached) })
	row("Redis keys, `EXPIRATION_JITTER_MAX_SECONDS=10`", func(o *Outcome) string { return digits(o.LiveKeys(Large, 10)) })
	row("their memory", func(o *Outcome) string { return size(o.LiveKeys(Large, 10) * RedisKeyBytes) })
	row("… with the default of 300", func(o *Outcome) string { return size(o.LiveKeys(Large, 300) * RedisKeyBytes) })
	row("callers in one proxy's windows", func(o *Outcome) string { return digits(o.Identifiers) })
	row("their memory, at most", func(o *Outcome) string { return size(o.ProxyBytes()) })
	return b.String()
}

func sharesTable() string {
	var b strings.Builder
	b.WriteString("| proxies | each one's share | refused needlessly, spread evenly | …, half through one proxy | most that a caller can get |\n")
	b.WriteString("|---:|---:|---:|---:|---:|\n")
	for _, proxies := range []int{2, 10, 100, 1000} {
		s := Divide(Large.Limit, proxies, Large.Window)
		fmt.Fprintf(&b, "| %s | %d | %s | %s | %s |\n", digits(float64(s.Proxies)), s.Share, percent(s.Even), percent(s.Skewed), times(s.Most))
	}
	return b.String()
}

func fixedTable() string {
	e := FixedExcess(Large.Limit, Large.Window)
	return "| a caller asks for 1.5 times its limit | most admitted in any 60 s, over the limit |\n|---|---:|\n" +
		"| steadily | " + times(e.Steady) + " |\n| in bursts of the whole limit | " + times(e.Bursts) + " |\n"
}

// digits writes a number with two significant digits, thousands apart.
func digits(x float64) string {
	if x < 10 {
		return strconv.FormatFloat(x, 'g', 2, 64)
	}
	unit := math.Pow(10, math.Floor(math.Log10(x))-1)
	s := strconv.FormatFloat(math.Round(x/unit)*unit, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func times(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) }

func percent(x float64) string {
	if x < 0.0005 {
		return "0 %"
	}
	return strconv.FormatFloat(100*x, 'f', 1, 64) + " %"
}

func size(bytes float64) string {
	if bytes >= 1e9 {
		return digits(bytes/1e9) + " GB"
	}
	return digits(bytes/1e6) + " MB"
}

// Fill replaces what a page has between <!-- simulated: NAME --> and <!-- end --> for each table.
func Fill(page []byte, tables map[string]string) ([]byte, error) {
	for name, table := range tables {
		start := []byte("<!-- simulated: " + name + " -->\n")
		before, rest, found := bytes.Cut(page, start)
		_, after, ended := bytes.Cut(rest, []byte("<!-- end -->"))
		if !found || !ended {
			return nil, fmt.Errorf("the page has no place for the table %s", name)
		}
		page = bytes.Join([][]byte{before, start, []byte("\n" + table + "\n<!-- end -->"), after}, nil)
	}
	return page, nil
}
