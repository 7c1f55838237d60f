package runningunit

import (
	"slices"
	"strings"

	"temper/generator"
	"temper/harness/confine"
	"temper/harness/place"
	"temper/harness/trial"
	"temper/internal/systemd"
	"temper/internal/verdict"
)

// RunsWith returns the drop-in of temper with which the main process of a service of this machine runs: the one that
// systemd has loaded, without what the guard adds. Where something of it is seen not to hold, because systemd has read
// it after the process was started, what is seen to hold is left of it. It is empty if there is none.
func RunsWith(where *place.Place, s systemd.Service) (string, error) {
	text, _ := Machine{Place: where}.loaded(systemd.Get[[]string](s.Properties, "DropInPaths"))
	text = generator.WithoutGuard(text)
	plan := planOf(verdict.Verdict{Applied: Assignments(text)})
	subject := trial.Subject(where, s)
	if len(plan.Items) == 0 || subject.PID == 0 {
		return "", nil
	}
	seen, err := confine.Read(subject, plan)
	if err != nil || len(seen.Holds) == 0 {
		return "", err
	}
	if len(seen.NoEffect) > 0 {
		text = only(text, seen.Holds)
	}
	return text, nil
}

// only leaves the assignments of some directives in a drop-in that the generator wrote.
func only(text string, directives []string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		name, _, isAssignment := strings.Cut(line, "=")
		if !isAssignment || strings.HasPrefix(line, "#") || slices.Contains(directives, name) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// InForce returns the assignments of the drop-in of temper that systemd has loaded for a service of this machine that
// runs, without those of directives that its main process is seen not to obey: it may have started before these were
// decided. There are none if the service has no main process.
func InForce(where *place.Place, s systemd.Service) ([]verdict.Applied, error) {
	text, _ := Machine{Place: where}.loaded(systemd.Get[[]string](s.Properties, "DropInPaths"))
	all := Assignments(text)
	subject := trial.Subject(where, s)
	if subject.PID == 0 || len(all) == 0 {
		return nil, nil
	}
	seen, err := confine.Read(subject, planOf(verdict.Verdict{Applied: all}))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(a verdict.Applied) bool { return seen.NoEffect[a.Directive] != "" }), nil
}

// Assignments are the assignments in a drop-in that the generator wrote.
func Assignments(text string) []verdict.Applied {
	list := []verdict.Applied{}
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		name, value, ok := strings.Cut(line, "=")
		switch {
		case strings.HasPrefix(line, "["):
			section = line
		case ok && section == "[Service]" && !strings.HasPrefix(line, "#"):
			list = append(list, verdict.Applied{Directive: name, Value: strings.ReplaceAll(value, "%%", "%")})
		}
	}
	return list
}
