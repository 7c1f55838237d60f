package analyzer

import (
	"slices"
	"strings"
)

// sortRows puts the rows, which are in the order of the table, into that in which systemd-analyze prints them.
func sortRows(rows []Row, version int) {
	switch {
	case version < SinceJSON:
		slices.SortStableFunc(rows, byWeight)
	case version < emptyFirst:
		mergeSort(rows, oldOrder(rows))
	default:
		slices.SortStableFunc(rows, byDescription)
	}
}

// emptyFirst is the first version in which rows without a description come first.
const emptyFirst = 258

// byDescription is the order since 258: descriptions backwards, those without one first, then names.
func byDescription(a, b Row) int {
	switch {
	case a.Description == b.Description:
		return strings.Compare(a.Name, b.Name)
	case a.Description == "":
		return -1
	case b.Description == "":
		return 1
	}
	return strings.Compare(b.Description, a.Description)
}

// byWeight is the order up to 249.
func byWeight(a, b Row) int {
	if a.weight != b.weight {
		return b.weight - a.weight
	}
	return strings.Compare(a.Name, b.Name)
}

// oldOrder compares as 250 to 257 did: a row without a description stands, seen from any other, in the reverse of the
// table's order. That is no order at all, so that the place of such a row depends on how one sorts.
func oldOrder(rows []Row) func(a, b Row) int {
	index := make(map[string]int, len(rows))
	for i, r := range rows {
		index[r.JSONField] = i
	}
	return func(a, b Row) int {
		if (a.Description == "") != (b.Description == "") {
			return index[b.JSONField] - index[a.JSONField]
		}
		return byDescription(a, b)
	}
}

// mergeSort sorts as qsort(3) of the GNU C library does. systemd's table has a heading, which is sorted along with its rows
// and always comes first: it counts when the rows are halved.
func mergeSort(rows []Row, compare func(a, b Row) int) {
	all := append([]Row{{}}, rows...)
	heading := func(r Row) bool { return r.JSONField == "" }
	merge(all, make([]Row, len(all)), func(a, b Row) int {
		switch {
		case heading(a):
			return -1
		case heading(b):
			return 1
		}
		return compare(a, b)
	})
	copy(rows, all[1:])
}

func merge(rows, spare []Row, compare func(a, b Row) int) {
	if len(rows) < 2 {
		return
	}
	a, b := rows[:len(rows)/2], rows[len(rows)/2:]
	merge(a, spare, compare)
	merge(b, spare, compare)
	out := spare[:0]
	for len(a) > 0 && len(b) > 0 {
		if compare(a[0], b[0]) <= 0 {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	out = append(append(out, a...), b...)
	copy(rows, out)
}
