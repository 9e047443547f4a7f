// Command bench measures what Gatehouse costs in Envoy, side by side with what Envoy has itself.
// `make bench` runs it.
//
// Every configuration is a subject: an Envoy with one worker, on one core, that answers each
// request itself (direct_response). The load generator runs on another core. Subjects take turns,
// round by round, so that a machine that slows down slows down all of them. The figure is CPU time
// per request, user and system, from /proc: it doesn't depend on how fast the load generator is.
// Absolute figures don't travel between machines, so the result is ratios of overheads over bare
// Envoy.
//
// The files: main.go is the command; plan.go says what is measured; subject.go starts Envoys;
// filters.go has their configurations; load.go sends requests; measure.go takes rounds; stats.go
// has medians; report.go and chart.go write what came out.
package main
