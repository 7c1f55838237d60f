package clone

import (
	"path"
	"regexp"
	"strings"

	"temper/internal/unit"
)

// A Renaming is a name of a clone, and the name of the unit for which it stands.
type Renaming struct{ Clone, Unit string }

// Names are the names of a clone in paths and messages, the longest first.
func (c Clone) Names(stem string) []Renaming {
	return []Renaming{
		{path.Join(c.directory(stem), stem), path.Join(path.Dir(c.Unit.ControlGroup()), unit.Prefix(c.Unit.ID))},
		{stem, unit.Prefix(c.Unit.ID)},
	}
}

// directory is the directory of the control group of a clone below the root of the hierarchy.
func (c Clone) directory(stem string) string {
	if c.OwnSlice {
		return "/system.slice/" + c.Slice(stem)
	}
	return "/system.slice"
}

// inOwnPaths writes the name of the clone into the paths that have the name of the unit because the running unit has
// it: its control group, and what a service names after its control group in /run. A path that leads to a file of the
// unit, such as /etc/systemd/system/UNIT, stays. systemd takes a backslash in a path for an escape.
func (c Clone) inOwnPaths(text, stem string) string {
	if c.ForEachConnection() {
		return text
	}
	for from, to := range map[string]string{
		"/sys/fs/cgroup" + c.Unit.ControlGroup(): "/sys/fs/cgroup" + path.Join(c.directory(stem), c.Service(stem)),
		"/run/" + c.Unit.ID:                      "/run/" + c.Service(stem),
	} {
		if !strings.Contains(text, from) {
			continue
		}
		whole := regexp.MustCompile(regexp.QuoteMeta(from) + `([/\s"':]|$)`)
		text = whole.ReplaceAllString(text, strings.NewReplacer("$", "$$", `\`, `\\`).Replace(to)+"$1")
	}
	return text
}
