package harness

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"temper/harness/witness"
	"temper/internal/verdict"
)

// A complaint is one sign that something was refused, and what may have refused it, the likeliest first.
type complaint struct {
	restrictions []witness.Restriction
	evidence     verdict.Evidence
}

// denied are the complaints of the kernel's witness.
func denied(record witness.Record) []complaint {
	var list []complaint
	for _, d := range record.Denials {
		list = append(list, complaint{d.Restrictions(), verdict.Evidence{Kind: "refused", Text: d.String()}})
	}
	return list
}

// refusals are the errors that a service may log with the path that they are about, as strerror(3) words them, and what each
// may mean.
var refusals = map[string][]witness.Kind{
	"read-only file system":     {witness.PathReadOnly},
	"operation not permitted":   {witness.Device},
	"permission denied":         {witness.Device, witness.PathHidden, witness.PathNoExec},
	"no such file or directory": {witness.Device, witness.PathHidden},
}

// logged finds a path and such an error after it in a line of a log, or before it.
var logged = func() []*regexp.Regexp {
	const file = `(/[^\s"':,()]+)`
	text := "(" + strings.Join(slices.Sorted(maps.Keys(refusals)), "|") + ")"
	return []*regexp.Regexp{regexp.MustCompile("(?i)" + file + "[^/]*" + text), regexp.MustCompile("(?i)" + text + "[^/]*" + file)}
}()

// said are the complaints that a service logs. They are what is left where the kernel has no witness to offer.
func said(log []string, files view) []complaint {
	var list []complaint
	for _, line := range log {
		for i, pattern := range logged {
			m := pattern.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			c := complaint{evidence: verdict.Evidence{Kind: "log", Text: line}}
			file, text := path.Clean(strings.TrimRight(m[1+i], ".")), strings.ToLower(m[2-i])
			for _, kind := range refusals[text] {
				if files.exists(file) && (kind != witness.Device || strings.HasPrefix(file, "/dev/")) || kind == witness.PathReadOnly {
					c.restrictions = append(c.restrictions, witness.Restriction{Kind: kind, Subject: file})
				}
			}
			list = append(list, c)
			break
		}
	}
	return list
}
