package config

import "strings"

// unknown is the error for an unknown field: it lists the known fields and suggests the most
// similar one. Names of up to four letters may differ by one letter, longer names by two: two
// changes turn a short name into any other.
func (s *Shape) unknown(name string) string {
	limit := 3
	if len(name) <= 4 {
		limit = 2
	}
	best, distance := "", limit
	var names []string
	for _, f := range s.Fields {
		names = append(names, f.Name)
		d := editDistance(strings.ToLower(name), f.Name, distance)
		if len(name) >= 4 && strings.HasPrefix(f.Name, name) {
			d = min(d, limit-1)
		}
		if d < distance {
			best, distance = f.Name, d
		}
	}
	message := "unknown field, want one of " + strings.Join(names, ", ")
	if best != "" {
		message += "; did you mean " + best + "?"
	}
	return message
}

// editDistance is the number of single-byte insertions, deletions and substitutions that turn a
// into b (Levenshtein), at most limit.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return min(row[len(b)], limit)
}
