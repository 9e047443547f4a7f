package main

import (
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/core/clock"
)

// momentFlag is the flag --at: the time at which a token is verified.
type momentFlag struct{ seconds int64 }

func (f *momentFlag) register(c *cobra.Command, usage string) {
	c.Flags().Int64Var(&f.seconds, "at", 0, usage+", in Unix seconds (default: now)")
}

// moment is the time that the flag says.
func (f *momentFlag) moment(c *cobra.Command) (clock.Wall, error) {
	if !c.Flags().Changed("at") {
		return clock.Wall(time.Now().UnixNano()), nil
	}
	const most = math.MaxInt64 / int64(time.Second)
	if f.seconds < 0 || f.seconds > most {
		return 0, fmt.Errorf("--at: want 0..%d, got %d", most, f.seconds)
	}
	return clock.Wall(f.seconds * int64(time.Second)), nil
}
