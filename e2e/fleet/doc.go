// Package fleet simulates rate limits in a fleet of proxies that is too large to start: what local
// windows, shares of a limit and the global stage each admit and cost. docs/global-limits.md has
// its tables; a test holds them to what the simulation says.
//
// It shares no code with the filter: its windows are exact logs of its own.
package fleet

//go:generate go test -count=1 -run UpToDate . -update
