// Package linear proves that the work which strangers cause is linear in what they send. It counts
// the work, exactly and without a clock: a program with core's code is built so that Go's coverage
// counts each block, and so that core's calls of the package strings are counted by the bytes that
// they read. Twice the input must at most cost a little more than twice the work.
package linear
