package metrics

// LabelValue maps a configured name to a label's value: letters become lower case, every other character but a-z, 0-9 and _
// becomes one _, and the empty name is _. Envoy's names are split at dots and Istio's at ;.; so nothing else is safe.
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

// The values of the label route that no route has.
const (
	RouteNone = "none" // the request matched no route, or was refused before one was looked for
	RouteAll  = "all"  // the only value when routes aren't told apart (metrics.per_route false)
)
