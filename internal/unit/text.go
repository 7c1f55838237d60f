package unit

import "strings"

// Text writes assignments as a unit file that [Parse], and systemd, read as the same assignments in the same order,
// their positions apart. Names and sections must be such as Parse returns them.
func Text(assignments []Assignment) string {
	var b strings.Builder
	for i, a := range assignments {
		if i == 0 || a.Section != assignments[i-1].Section {
			if i > 0 {
				b.WriteByte('\n')
			}
			b.WriteString("[" + a.Section + "]\n")
		}
		b.WriteString(a.Name + "=" + a.Value)
		if continues(a.Value) {
			b.WriteByte(' ') // the blank keeps the backslash from continuing the line
		}
		b.WriteByte('\n')
	}
	return b.String()
}
