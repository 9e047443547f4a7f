package fields

import "strings"

// Inline is a set of field names whose values are joined.
type Inline map[string]bool

// Envoy keeps some fields of a request or response once: a further value is
// joined to the first with a comma, where other fields become two. Which ones
// is a matter of what is built into Envoy; these are those of Envoy 1.40,
// found with the conformance probe.
var (
	RequestInline = nameSet(`:authority :method :path :protocol :scheme accept accept-encoding
		access-control-request-headers access-control-request-method access-control-request-private-network
		authorization cache-control connection content-encoding content-length content-type expect
		grpc-accept-encoding grpc-timeout if-match if-modified-since if-none-match if-range
		if-unmodified-since keep-alive origin pragma proxy-connection proxy-status referer te
		transfer-encoding upgrade user-agent via x-client-trace-id x-envoy-attempt-count
		x-envoy-decorator-operation x-envoy-downstream-service-cluster x-envoy-expected-rq-timeout-ms
		x-envoy-external-address x-envoy-internal x-envoy-max-retries x-envoy-original-path x-envoy-retry-on
		x-envoy-upstream-rq-timeout-ms x-forwarded-client-cert x-forwarded-for x-forwarded-host
		x-forwarded-port x-forwarded-proto x-request-id`)
	ResponseInline = nameSet(`:status access-control-allow-credentials access-control-allow-headers
		access-control-allow-methods access-control-allow-origin access-control-allow-private-network
		access-control-expose-headers access-control-max-age age cache-control connection content-encoding
		content-length content-type date etag expires grpc-message grpc-status keep-alive last-modified
		location proxy-connection proxy-status server transfer-encoding upgrade vary via
		x-envoy-attempt-count x-envoy-decorator-operation x-envoy-degraded
		x-envoy-immediate-health-check-fail x-envoy-ratelimited x-envoy-upstream-service-time x-request-id`)
)

func nameSet(names string) Inline {
	set := Inline{}
	for _, name := range strings.Fields(names) {
		set[name] = true
	}
	return set
}
