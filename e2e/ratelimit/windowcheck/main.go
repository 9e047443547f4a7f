// Command windowcheck proves from an access log what a sliding-window rate limiter did. It shares
// no code with the limiter and trusts nothing that the limiter says.
//
//	windowcheck -limit light=2/1s,6/4s -limit heavy=600/2s [-skew 20us] FILE
//
// Each line of the log is one decision, its fields separated by spaces:
//
//	GROUP/CALLER STATUS BEFORE AFTER END
//
// GROUP chooses the limit. BEFORE, AFTER and END are wall-clock times, seconds since 1970 with a
// fraction: just before the limiter was asked, just after it had let the request pass ("-" if it
// refused), and when the line was written. So a decision lies between BEFORE and AFTER, or END for
// a refused one; it is these brackets that the proof rests on, see report. -skew is by how much the
// wall clock ran differently from the limiter's own, monotonic clock during the log: each bracket
// is that much wider.
//
// The report is one JSON object. The exit code is 1 if a window certainly held more than its limit,
// 2 if the log can't be read.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	over, err := run(os.Args[1:], os.Stdout)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "windowcheck:", err)
		os.Exit(2)
	case over:
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) (over bool, err error) {
	flags := flag.NewFlagSet("windowcheck", flag.ContinueOnError)
	limits := limits{}
	flags.Var(limits, "limit", "GROUP=MAX/LENGTH[,MAX/LENGTH…]; once for each group")
	skew := flags.Duration("skew", 0, "by how much the wall clock may have drifted from the monotonic one")
	if err := flags.Parse(args); err != nil {
		return false, err
	}
	if flags.NArg() != 1 || len(limits) == 0 {
		return false, errors.New("want one file and at least one -limit")
	}
	file, err := os.Open(flags.Arg(0))
	if err != nil {
		return false, err
	}
	defer func() { _ = file.Close() }()
	log, err := readLog(file, *skew)
	if err != nil {
		return false, err
	}
	groups, err := check(log, limits)
	if err != nil {
		return false, err
	}
	for _, g := range groups {
		for _, w := range g.Windows {
			over = over || w.Over > 0
		}
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return over, encoder.Encode(groups)
}

// window is a limit over time.
type window struct {
	max    int
	length time.Duration
}

// limits are each group's windows. As a flag.Value it reads "light=2/1s,6/4s".
type limits map[string][]window

// String implements flag.Value.
func (limits) String() string { return "" }

// Set implements flag.Value.
func (l limits) Set(s string) error {
	group, text, ok := strings.Cut(s, "=")
	if !ok {
		return errors.New("want GROUP=MAX/LENGTH")
	}
	for part := range strings.SplitSeq(text, ",") {
		number, length, _ := strings.Cut(part, "/")
		most, err := strconv.Atoi(number)
		if err != nil {
			return err
		}
		w := window{max: most}
		if w.length, err = time.ParseDuration(length); err != nil {
			return err
		}
		l[group] = append(l[group], w)
	}
	return nil
}
