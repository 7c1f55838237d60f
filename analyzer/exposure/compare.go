package exposure

// Difference is a row in which two reports differ. A row that one of the reports does not have is empty.
type Difference struct {
	Before, After Row
}

// Compare returns the rows in which two reports differ in what they say or count, in the order of the second.
func Compare(before, after Report) []Difference {
	rows := map[string]Row{}
	for _, r := range before.Rows {
		rows[r.JSONField] = r
	}
	var list []Difference
	for _, r := range after.Rows {
		b := rows[r.JSONField]
		delete(rows, r.JSONField)
		if b.Description != r.Description || b.badness != r.badness || !sameSet(b.Set, r.Set) {
			list = append(list, Difference{b, r})
		}
	}
	for _, r := range before.Rows { // rows that only the first report has
		if b, ok := rows[r.JSONField]; ok {
			list = append(list, Difference{Before: b})
		}
	}
	return list
}

func sameSet(a, b *bool) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}
