package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"temper/harness/place/hostcopy"
	"temper/harness/trial"
	"temper/internal/systemd"
	"temper/internal/unit"
)

// startConflicting starts a unit that sees to it that no trial runs beside the service itself, and that no service ever runs on a copy of
// its data, also if this process is killed: before one of the others starts, and when the service ends in which this process runs,
// systemd stops it, with any trial, and it takes the copies away.
func (s *series) startConflicting(ctx context.Context, others []string, copies hostcopy.Directories) (hostProtection, error) {
	d := hostProtection{unit: trial.NewName(s.stem) + ".service", copies: copies}
	file := d.unit + ".d/" + trial.EarlyDropin
	d.release = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
		defer cancel()
		s.at.Manager().Release(ctx, d.unit)
		trial.RemoveUnits(s.at.Place, []string{file})
	}
	if err := trial.WriteUnits(s.at.Place, map[string]string{file: conflictingText(others, copies.Over)}); err != nil {
		return hostProtection{}, err
	}
	result, err := s.launcher().StartTransient(ctx, systemd.IgnoreDependencies, "What trials of "+s.unit.Name+" write", d.unit)
	if err == nil && result != systemd.Done {
		err = errors.New("job " + result)
	}
	if err != nil {
		d.release()
		return hostProtection{}, fmt.Errorf("guard the data of %s: %w", s.unit.Name, err)
	}
	return d, nil
}

// conflictingText is the text of the unit that startConflicting starts.
func conflictingText(others, copies []string) string {
	others = slices.DeleteFunc(slices.Clone(others), unit.IsTemplate)
	text := "[Unit]\n"
	if len(others) > 0 {
		text += "Conflicts=" + strings.Join(others, " ") + "\nBefore=" + strings.Join(others, " ") + "\n"
	}
	if own := ownService(); own != "" {
		text += "BindsTo=" + own + "\n"
	}
	text += "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
	if len(copies) == 0 {
		return text + "ExecStart=true\n"
	}
	text += "ExecStop=-umount -l"
	for _, dir := range copies {
		text += ` "` + quoted.Replace(dir) + `"`
	}
	return text + "\n"
}

// quoted makes a path one word of a command line; systemd.service(5).
var quoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "$", "$$")

// ownService is the service in which this process runs, "" if it is in a session; cgroups(7).
func ownService() string {
	group, _ := os.ReadFile("/proc/self/cgroup")
	for line := range strings.Lines(string(group)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok && unit.Type(name) == "service" {
			return path.Base(name)
		}
	}
	return ""
}
