package conformance

import "slices"

// Difference is a line by which hostsim is meant to differ from Envoy.
type Difference struct {
	// Scenario is the name of the scenario in the report.
	Scenario string
	// Envoy is the line that Envoy has, Hostsim the one in its place; "" if there
	// is none.
	Envoy, Hostsim string
	Why            string
}

// Differences are all of them. What can't be seen in a report, because Envoy
// does not survive it or because the probe leaves it out:
//
//   - Envoy 1.40 ends with a segmentation fault when a filter continues the
//     response of a stream that has none yet; hostsim does nothing.
//   - Envoy ends with a failed assertion when the upstream of a gRPC callout is a
//     name that happens to be a valid protobuf message without a target, such as
//     "empty"; hostsim takes it for the name.
//   - Envoy gives the property metadata as a whole as a protobuf message, and
//     knows node, listener and certificate properties; hostsim has none of them.
//     response.flags is always 0.
//   - Envoy takes a module that imports its memory, and one that exports none, with
//     which it ends in a segmentation fault; hostsim refuses both.
//   - Envoy starts one VM more, which runs the module's start functions only.
//   - Envoy reads no more of a body on which a filter has paused with
//     StopIterationAndWatermark, once the buffer limit is reached; hostsim goes on.
//   - Behind net/http, header names come in the order of the alphabet.
func Differences() []Difference {
	return []Difference{{
		Scenario: "continue-in-callback",
		Envoy:    `upstream: HTTP/1.1 GET /continue-in-callback host="probe.test" user-agent="probe-client" x-forwarded-proto="http" body ""`,
		Why:      "Envoy sends a request twice whose filter continues it in the callback and returns continue as well; hostsim sends it once",
	}}
}

// Expected turns what Envoy did into what hostsim must do. It returns the
// differences that do not apply.
func Expected(envoy Report) (want Report, unused []Difference) {
	for _, o := range envoy {
		want = append(want, Observed{Name: o.Name, Lines: slices.Clone(o.Lines)})
	}
	for _, d := range Differences() {
		if !apply(want, d) {
			unused = append(unused, d)
		}
	}
	return want, unused
}

func apply(r Report, d Difference) bool {
	for i := range r {
		if r[i].Name != d.Scenario {
			continue
		}
		at := slices.Index(r[i].Lines, d.Envoy)
		if at < 0 {
			return false
		}
		var instead []string
		if d.Hostsim != "" {
			instead = []string{d.Hostsim}
		}
		r[i].Lines = slices.Replace(r[i].Lines, at, at+1, instead...)
		return true
	}
	return false
}
