package exposure

import (
	"slices"
	"strings"
)

// sortRows changes the order of rows from that of the table to that in which systemd-analyze prints them.
func sortRows(rows []Row, version int) {
	order := make([]int32, len(rows))
	for i := range order {
		order[i] = int32(i)
	}
	switch {
	case version < SinceOffline:
		slices.SortStableFunc(order, func(a, b int32) int { return byWeight(&rows[a], &rows[b]) })
	case version < emptyFirst:
		mergeSort(order, func(a, b int32) int { return oldOrder(rows, a, b) })
	default:
		slices.SortStableFunc(order, func(a, b int32) int { return byDescription(&rows[a], &rows[b]) })
	}
	sorted := make([]Row, len(rows))
	for i, at := range order {
		sorted[i] = rows[at]
	}
	copy(rows, sorted)
}

// emptyFirst is the first version in which rows without a description come first.
const emptyFirst = 258

// byDescription is the order since 258: rows without a description first, then by description from Z to A, then by
// name.
func byDescription(a, b *Row) int {
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
func byWeight(a, b *Row) int {
	if a.weight != b.weight {
		return b.weight - a.weight
	}
	return strings.Compare(a.Name, b.Name)
}

// oldOrder compares as 250 to 257 did: a row without a description compares with any other row in the reverse of the
// table's order. This relation is not transitive, so the place of such a row depends on the sorting algorithm.
func oldOrder(rows []Row, a, b int32) int {
	x, y := &rows[a], &rows[b]
	if (x.Description == "") != (y.Description == "") {
		return int(b) - int(a)
	}
	return byDescription(x, y)
}

// heading stands for the first line of systemd's table.
const heading = -1

// mergeSort sorts as qsort(3) of the GNU C library does. systemd sorts the heading of its table together with the rows.
// The heading always comes first, but it counts when the rows are halved.
func mergeSort(order []int32, compare func(a, b int32) int) {
	all := append([]int32{heading}, order...)
	merge(all, make([]int32, len(all)), func(a, b int32) int {
		switch {
		case a == heading:
			return -1
		case b == heading:
			return 1
		}
		return compare(a, b)
	})
	copy(order, all[1:])
}

func merge(order, spare []int32, compare func(a, b int32) int) {
	if len(order) < 2 {
		return
	}
	a, b := order[:len(order)/2], order[len(order)/2:]
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
	copy(order, out)
}
