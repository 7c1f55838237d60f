package blame

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"temper/harness/witness"
	"temper/internal/refusal"
	"temper/internal/verdict"
)

// loggedErrors are the errors that a service may log together with a path, in the words of strerror(3), and the kinds
// of refusal that each may mean.
var loggedErrors = map[string][]refusal.Kind{
	"read-only file system":     {refusal.PathReadOnly},
	"operation not permitted":   {refusal.Device},
	"permission denied":         {refusal.Device, refusal.PathHidden, refusal.PathNoExec},
	"no such file or directory": {refusal.Device, refusal.PathHidden},
}

// A logPattern finds a path and one of the loggedErrors in a line of a log.
type logPattern struct {
	*regexp.Regexp
	file, err int // numbers of the groups that match them
}

// logPatterns match an error after the path, and before it.
var logPatterns = func() []logPattern {
	const file = `(/[^\s"':,()]+)`
	text := "(" + strings.Join(slices.Sorted(maps.Keys(loggedErrors)), "|") + ")"
	return []logPattern{
		{regexp.MustCompile("(?i)" + file + "[^/]*" + text), 1, 2},
		{regexp.MustCompile("(?i)" + text + "[^/]*" + file), 2, 1},
	}
}()

// loggedSymptoms are the symptoms in the log of a service. The search needs them where there is no witness.
func (s Service) loggedSymptoms(log []string) []symptom {
	var list []symptom
	for _, line := range log {
		for _, p := range logPatterns {
			if m := p.FindStringSubmatch(line); m != nil {
				file := path.Clean(strings.TrimRight(m[p.file], "."))
				restrictions := s.possibleRestrictions(strings.ToLower(m[p.err]), file)
				list = append(list, symptom{
					restrictions: restrictions, evidence: verdict.Evidence{Kind: "log", Text: line},
				})
				break
			}
		}
	}
	return list
}

// possibleRestrictions lists the restrictions that may cause an error about a file. If the file does not exist without
// hardening either, only a read-only directory can be the cause.
func (s Service) possibleRestrictions(text, file string) []witness.Restriction {
	var list []witness.Restriction
	for _, kind := range loggedErrors[text] {
		isDevice := strings.HasPrefix(file, "/dev/")
		if kind == refusal.PathReadOnly || s.Exists(file) && (kind != refusal.Device || isDevice) {
			list = append(list, witness.Restriction{Kind: kind, Subject: file})
		}
	}
	return list
}
