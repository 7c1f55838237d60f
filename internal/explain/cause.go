package explain

import (
	"regexp"

	"temper/internal/verdict"
)

// complaint matches a line with which a program says what keeps it from working.
var complaint = regexp.MustCompile(`(?i)\b(error|fatal|fail(s|ed|ure)?|unable|can(no|')t|could ?n[o']t|denied|refused|invalid|` +
	`missing|no such|not (found|permitted|allowed|supported)|unknown|abort(ed|ing)?|panic|emerg|crit|critical|exception)\b`)

// Said is what a service said in the last of its trials that failed.
type Said struct {
	Cause string   // the line that most likely tells why it failed; "" if it logged nothing
	Log   []string // the end of its log
}

// logLines is how many lines of a log are kept.
const logLines = 10

// LastFailure returns what a service said in the last of its trials that failed: its last complaint or, if no line
// looks like one, its last line.
func LastFailure(trials []verdict.Trial) Said {
	for i := len(trials) - 1; i >= 0; i-- {
		log := trials[i].Log
		if trials[i].OK || len(log) == 0 {
			continue
		}
		said := Said{Cause: log[len(log)-1], Log: log[max(len(log)-logLines, 0):]}
		for j := len(log) - 1; j >= 0; j-- {
			if complaint.MatchString(log[j]) {
				said.Cause = log[j]
				break
			}
		}
		return said
	}
	return Said{}
}
