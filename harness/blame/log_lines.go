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

// loggedErrors are the errors that a service may log with the path that they are about, as strerror(3) words them, and
// what each may mean.
var loggedErrors = map[string][]refusal.Kind{
	"read-only file system":     {refusal.PathReadOnly},
	"operation not permitted":   {refusal.Device},
	"permission denied":         {refusal.Device, refusal.PathHidden, refusal.PathNoExec},
	"no such file or directory": {refusal.Device, refusal.PathHidden},
}

// A logPattern finds a path and one of the loggedErrors in a line of a log.
type logPattern struct {
	*regexp.Regexp
	file, err int // numbers of the groups
}

// logPatterns find the error after the path, or before it.
var logPatterns = func() []logPattern {
	const file = `(/[^\s"':,()]+)`
	text := "(" + strings.Join(slices.Sorted(maps.Keys(loggedErrors)), "|") + ")"
	return []logPattern{
		{regexp.MustCompile("(?i)" + file + "[^/]*" + text), 1, 2},
		{regexp.MustCompile("(?i)" + text + "[^/]*" + file), 2, 1},
	}
}()

// logged are the complaints that a service logs. They are what is left where the kernel has no witness.
func (s Service) logged(log []string) []complaint {
	var list []complaint
	for _, line := range log {
		for _, p := range logPatterns {
			if m := p.FindStringSubmatch(line); m != nil {
				file := path.Clean(strings.TrimRight(m[p.file], "."))
				list = append(
					list,
					complaint{s.meaning(strings.ToLower(m[p.err]), file), verdict.Evidence{Kind: "log", Text: line}},
				)
				break
			}
		}
	}
	return list
}

// meaning lists what an error about a file may mean. Of a file that is not there without hardening either, only that it
// cannot be made is a sign of the sandbox.
func (s Service) meaning(text, file string) []witness.Restriction {
	var list []witness.Restriction
	for _, kind := range loggedErrors[text] {
		isDevice := strings.HasPrefix(file, "/dev/")
		if kind == refusal.PathReadOnly || s.Exists(file) && (kind != refusal.Device || isDevice) {
			list = append(list, witness.Restriction{Kind: kind, Subject: file})
		}
	}
	return list
}
