package config

import "strings"

// unknown is the error for a field that an object of this shape doesn't have: those that it may have, and the one that was
// probably meant. Two typing errors in a name of four letters or fewer make it any other name.
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

// editDistance is how many single-byte insertions, deletions and substitutions turn a into b (Levenshtein); limit when it is
// at least that.
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
