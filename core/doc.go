// Package core decides about requests: who is calling, whether the route admits the caller, and
// whether the caller is within its limits. It also says what to tell the upstream, the client, the
// audit log and the metrics. It knows neither Envoy nor a clock: a Gate is given each request with
// its time, and shares state with other workers through interfaces.
//
// A decision is a list of steps with a fixed order, and the first failure decides: method, host and
// path; route; limits before authentication; token; caller, scopes, groups and claims; limits. The
// zero Decision denies.
//
// Read as a request goes:
//
//	request.go         what a Gate sees of a request
//	gate.go            what a Gate needs, and how it is made
//	needs.go           what of a request a configuration makes it use
//	decide.go          the steps of a decision, in their order
//	target.go          method, host and path; the route; CORS preflights
//	resources.go       requests for the metadata of protected resources (RFC 9728), which the Gate answers itself
//	limits.go          limits are charged, refunded and peeked at; the keys that they count under
//	authenticate.go    the token is verified, or claims that another filter verified are checked
//	token.go           where a request carries its token
//	cookie.go          tokens in cookies
//	external.go        the failure codes of Envoy's own JWT filter
//	principal.go       what a verified token says about the caller; identity headers
//	authorize.go       what the route requires of the caller
//	decision.go        the answer
//	admit.go           what an admitted request takes to the upstream
//	forged.go          headers of the client's that could pass for identity headers
//	headers.go         the headers of refusals and of limits
//	cors.go            what lets pages of other origins read refusals
//	finish.go          the audit events of a stream that has ended
//	losses.go          audit events that tell of lost lines
//	opened.go          audit events of requests that were admitted and go on
//	counts.go          what the metrics count
//	admin.go           changes through the admin API, as audit events
//	identifier.go      the keys of limits, as the admin API writes them
//
// Claims, keys and tokens, route patterns, the limiter's arithmetic, audit lines, the
// configuration, and the table of reasons each have a package below this one.
package core
