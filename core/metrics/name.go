package metrics

import "strings"

// ParseName reads the name by which the host knows a metric, in either Naming. It accepts only
// names that a Table can make: what it reads may have been written by another plugin. The kind
// follows from the name.
func ParseName(full string) (d Def, ok bool) {
	d.Full = full
	between, behind := ".", "."
	var labels string
	if i := strings.LastIndex(full, ";.;"); i >= 0 {
		between, behind = "=.=", ";.;"
		labels, d.Name = full[:i], full[i+len(behind):]
	} else {
		d.Name, labels, ok = strings.Cut(full, ".")
		if ok && labels == "" {
			return d, false
		}
	}
	for more := labels != ""; more; {
		var l Label
		l.Name, labels, _ = strings.Cut(labels, between)
		l.Value, labels, more = strings.Cut(labels, behind)
		if !isWord(l.Name) || !isWord(l.Value) {
			return d, false
		}
		d.Labels = append(d.Labels, l)
	}
	d.Kind = Gauge
	if strings.HasSuffix(d.Name, "_total") {
		d.Kind = Counter
	} else if strings.HasSuffix(d.Name, "_us") {
		d.Kind = Histogram
	}
	return d, strings.HasPrefix(d.Name, "gatehouse_") && isWord(d.Name)
}

// isWord reports whether s is a name or a label's value as LabelValue makes them.
func isWord(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return s != ""
}
