package unit

import "strings"

// Text writes assignments as a unit file. [Parse] and systemd read it as the same assignments in the same order, with
// other positions. Names and sections must be valid, as those from Parse are.
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
			b.WriteByte(' ') // the blank prevents that the backslash continues the line
		}
		b.WriteByte('\n')
	}
	return b.String()
}
