package hint

import "strings"

// Nearest returns the word that a user who wrote got most likely meant, or "" if none is close. A word is close if it
// differs in letter case or in at most a third of its letters, or if got is an abbreviation of it.
func Nearest(got string, words []string) string {
	best, bestDistance := "", max((len(got)+1)/3, 1)+1
	for _, w := range words {
		d := distance(strings.ToLower(got), strings.ToLower(w))
		if len(got) > 2 && strings.HasPrefix(w, got) {
			d = 1
		}
		if d < bestDistance && d < len(w) && d < len(got) {
			best, bestDistance = w, d
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace or swap with their neighbour to make b of a.
func distance(a, b string) int {
	const limit = 64 // no key is longer; the limit bounds the work on hostile input
	if len(a) > limit || len(b) > limit {
		return max(len(a), len(b))
	}
	var rows [3][limit + 1]int
	before, last, row := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
