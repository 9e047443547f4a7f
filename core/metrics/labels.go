package metrics

// LabelValue maps a configured name to a label's value. Letters become lower case; every other
// character except digits and "_" becomes "_"; the empty name becomes "_". Envoy splits metric
// names at dots and Istio at ";.;", so other characters aren't safe.
func LabelValue(name string) string {
	if name == "" {
		return "_"
	}
	out := make([]byte, 0, len(name))
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			out = append(out, byte(r))
		case r >= 'A' && r <= 'Z':
			out = append(out, byte(r-'A'+'a'))
		default:
			out = append(out, '_')
		}
	}
	return string(out)
}

// ProviderNone is the value of the label provider for a token that failed before its issuer chose a
// provider. No provider's name may map to it.
const ProviderNone = "none"

// Values of the label route that no route's name may map to.
const (
	RouteNone     = "none"              // the request matched no route, or was refused before one was looked for
	RouteMetadata = "resource_metadata" // Gatehouse answered with the metadata of a protected resource
	RouteAll      = "all"               // the only value if metrics.per_route is false
)
