package directive

import "strings"

// Suggest returns the directive whose name is nearest to a misspelt one, or "" if none is near.
func Suggest(name string) string {
	names := make([]string, len(table))
	for i, d := range table {
		names[i] = d.Name
	}
	return nearest(name, names)
}

// nearest returns the name nearest to a misspelt word, or "" if none is near.
func nearest(word string, names []string) string {
	best, least := "", len(word)/3+1
	for _, n := range names {
		if d := distance(strings.ToLower(word), strings.ToLower(n)); d <= least && (best == "" || d < least) {
			best, least = n, d
		}
	}
	return best
}

// distance is the Levenshtein distance of two short words, in bytes.
func distance(a, b string) int {
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
	return row[len(b)]
}
