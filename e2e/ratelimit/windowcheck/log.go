package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// decision is one line of the log: it was taken at some moment of the closed interval from earliest
// to latest, in nanoseconds since 1970.
type decision struct {
	earliest, latest int64
	admitted         bool
}

// log is what each caller of each group got.
type log map[string]map[string][]decision

// resolution is how much later than printed a time can have been: Envoy's wall clock ticks in
// microseconds and is cut off there.
const resolution = int64(time.Microsecond)

func readLog(r io.Reader, skew time.Duration) (log, error) {
	out := log{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		if err := out.add(lines.Text(), skew); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return out, lines.Err()
}

func (l log) add(line string, skew time.Duration) error {
	fields := strings.Fields(line)
	if len(fields) != 5 {
		return errors.New("want 5 fields: GROUP/CALLER STATUS BEFORE AFTER END")
	}
	group, caller, ok := strings.Cut(fields[0], "/")
	if !ok {
		return errors.New("want GROUP/CALLER in the first field")
	}
	end := fields[4]
	admitted := fields[3] != "-"
	if admitted {
		end = fields[3]
	} else if fields[1] != "429" && fields[1] != "503" {
		return fmt.Errorf("status %s is neither an admission nor a refusal by a limit", fields[1])
	}
	earliest, err := parseTime(fields[2])
	if err != nil {
		return err
	}
	latest, err := parseTime(end)
	if err != nil {
		return err
	}
	if latest < earliest {
		return errors.New("the decision ended before it began")
	}
	if l[group] == nil {
		l[group] = map[string][]decision{}
	}
	l[group][caller] = append(l[group][caller], decision{earliest - int64(skew), latest + resolution, admitted})
	return nil
}

// parseTime reads seconds with a fraction, as nanoseconds. No floating point: it hasn't got the
// digits.
func parseTime(s string) (int64, error) {
	whole, fraction, _ := strings.Cut(s, ".")
	if len(fraction) > 9 {
		return 0, fmt.Errorf("%q: want at most nanoseconds", s)
	}
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return 0, err
	}
	nanoseconds, err := strconv.ParseUint((fraction + "000000000")[:9], 10, 64)
	if err != nil {
		return 0, err
	}
	return seconds*1e9 + int64(nanoseconds), nil
}
