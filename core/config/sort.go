package config

// The sorts in this file are short. Those of package slices are compiled anew for each type, into
// 10 to 20 kB of the module.

// sortFindings sorts by offset and keeps the order of equal ones (merge sort). scratch is as long
// as fs.
func sortFindings(fs, scratch []finding) {
	if len(fs) < 2 {
		return
	}
	middle := len(fs) / 2
	sortFindings(fs[:middle], scratch)
	sortFindings(fs[middle:], scratch)
	left, right := scratch[:copy(scratch, fs[:middle])], fs[middle:]
	for i := range fs {
		if len(left) == 0 {
			return
		}
		if len(right) > 0 && right[0].offset < left[0].offset {
			fs[i], right = right[0], right[1:]
		} else {
			fs[i], left = left[0], left[1:]
		}
	}
}

// sorted returns members sorted by name. A configuration's objects with names of its own are small
// (insertion sort).
func sorted(members []*node) []*node {
	out := append([]*node(nil), members...)
	for i := range out {
		for j := i; j > 0 && out[j].name < out[j-1].name; j-- {
			out[j], out[j-1] = out[j-1], out[j]
		}
	}
	return out
}
