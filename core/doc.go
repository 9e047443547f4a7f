// Package core decides about requests: who is calling, whether the route lets them, whether they are within their limits;
// and what to say about it to the upstream, the client, the audit log and the metrics. It knows neither Envoy nor a clock:
// a Gate is given each request with its time, and what it shares with other workers through interfaces.
//
// The order of a decision is fixed: method, host, path, route, limits before authentication, token, caller, scopes, groups, claims,
// limits. The first failure decides. The zero Decision denies.
package core
