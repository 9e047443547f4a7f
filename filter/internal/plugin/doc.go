// Package plugin turns the proxy's callbacks into requests for a core.Gate, and the Gate's
// decisions into calls of the proxy. It builds for any platform: the proxy is an interface (package
// proxy).
//
// # What a failed call means
//
// Each call of the proxy can fail. A failure to find out what a decision needs, or to do what was
// decided, refuses the request with 503 internal; in observe mode too, since the upstream would
// read identity headers that may be a client's. A failure to tell about a decision is counted or
// logged, and changes nothing.
//
//	call                                    failure
//	Headers, clocks at arrival              503
//	Property source.address                 NotFound: no address; else 503
//	Property metadata (claims_from)         503
//	SharedGet, SharedSet for a limit        the Gate decides: 503, or what on_contention says
//	RemoveHeader, SetHeader on the request  503
//	Headers, RemoveHeader on its trailers   503
//	Reply                                   once more as a bare 503; if that fails too, the request stays held
//	Resume                                  503; if that fails too, the request stays held
//	SetContext before a Resume              the request stays held, and the next tick tries again
//	Headers, RemoveHeader, x-audit-event    503 in place of the response; if it has begun, the proxy resets it
//	SetHeader on the response               logged; the response lacks the header
//	clock and properties at the end         the event says null
//	Call of a batch of events               the batch waits and is sent again
//	Log, SetProperty of an event            counted in gatehouse_audit_dropped_total
//	metrics                                 logged once; the counter lags for good
//	Random, clock or SetTick at start       the configuration is refused
//	SetTick later                           the next tick tries again
//	SharedGet, SharedSet for a JWK Set      logged; the old set serves, up to max_stale_seconds
//	Call                                    a failed fetch
//	CallForeign                             the module verifies it itself
//
// A panic in a callback of a stream refuses its request as well.
package plugin
