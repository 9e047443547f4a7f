// Package abifuzz drives the whole filter in hostsim with random sequences of what a proxy can do
// to it, and holds each verdict against core's. Beside the native runner it is the only end-to-end
// package that imports core: core is the oracle.
package abifuzz

// input gives out a fuzzer's bytes. Once they are used up it gives zeros.
type input struct{ rest []byte }

func (in *input) done() bool { return len(in.rest) == 0 }

func (in *input) byte() byte {
	if len(in.rest) == 0 {
		return 0
	}
	b := in.rest[0]
	in.rest = in.rest[1:]
	return b
}

// below returns a number from 0 to n-1.
func (in *input) below(n int) int { return int(in.byte()) % n }

func (in *input) bool() bool { return in.byte()&1 == 1 }

// one chooses an element.
func one[T any](in *input, list []T) T { return list[in.below(len(list))] }

// mostly chooses one of the first elements in three cases of four.
func mostly[T any](in *input, first int, list []T) T {
	if in.below(4) > 0 {
		list = list[:first]
	}
	return one(in, list)
}

// text takes up to 15 bytes as they are.
func (in *input) text() string {
	n := min(in.below(16), len(in.rest))
	s := string(in.rest[:n])
	in.rest = in.rest[n:]
	return s
}
