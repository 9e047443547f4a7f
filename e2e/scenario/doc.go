// Package scenario reads the files in e2e/testdata/scenarios and holds what a runner observed
// against them.
//
// A scenario says once what Gatehouse must do: a configuration, requests at given times, and what
// each of them must get. Runners only execute it and report an [Observation]: core alone (package
// native), the filter in hostsim (package sim), the filter in Envoy (package real). Their reports
// must meet the file's expectations, and must be equal even where no file mentions a detail.
//
// # Files
//
// common.yaml has the configurations, tokens and callers that scenarios refer to by name. Every
// other file has scenarios. Unknown fields are errors. In a configuration, "$jwks" stands for the
// issuer's JWK Set. In header values, {token:NAME} stands for a token.
//
// # What differs by nature
//
// A step or a scenario may leave a runner out, and has to say why ([Scenario.Without],
// [Step.Without]): the table of the run counts the steps, and the reasons are printed below it.
// What a proxy adds to messages by itself is not compared (see [HostHeaders]), nor are gauges and
// the counters of JWK Set fetches, which happen before and between requests.
package scenario
