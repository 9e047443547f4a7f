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

// Collision finds the first name whose label value is reserved or is that of a different name before it. Equal names share
// a value. It returns the index of that name and of the earlier one, which is -1 for a reserved value; both are -1 when
// there is no collision. Routes reserve RouteNone.
func Collision(names []string, reserved ...string) (earlier, later int) {
	first := make(map[string]int, len(names))
	for i, name := range names {
		value := LabelValue(name)
		for _, r := range reserved {
			if value == r {
				return -1, i
			}
		}
		if j, ok := first[value]; !ok {
			first[value] = i
		} else if names[j] != name {
			return j, i
		}
	}
	return -1, -1
}
