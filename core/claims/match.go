package claims

import (
	"slices"
	"strconv"
)

// HasAny reports whether a claim is one of these values, or a list that has one of them. Numbers
// and booleans compare as JSON writes them, so that "true" matches {"verified": true}. No claim
// matches the value "".
func (s Set) HasAny(name string, values []string) bool {
	v := s.Get(name)
	if v.Kind() != List {
		return v.isAny(values)
	}
	return slices.ContainsFunc(v.Elements(), func(e Value) bool { return e.isAny(values) })
}

func (v Value) isAny(values []string) bool {
	text := v.scalar()
	return text != "" && slices.Contains(values, text)
}

// scalar is a string, number or boolean as text. It is "" for other values.
func (v Value) scalar() string {
	switch v.Kind() {
	case String:
		text, _ := v.Text()
		return text
	case Bool:
		return v.raw
	case Number:
		// 1, 1.0 and 1e0 are the same number. In Envoy's metadata every number is a float64.
		f, err := strconv.ParseFloat(v.raw, 64)
		if err != nil {
			return ""
		}
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return ""
}
