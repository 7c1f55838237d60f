package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"temper/harness/clone"
	"temper/harness/place/hostcopy"
	"temper/internal/systemd"
	"temper/internal/unit"
)

// startConflicting starts a unit that conflicts with the service and with the units in others. It ensures that no trial
// runs at the same time as one of them, and that none of them runs on a copy of its data, even if this process is
// killed. Before one of them starts, and when the service ends in which this process runs, systemd stops the
// conflicting unit and with it any trial, and the unit unmounts the copies.
func (s *series) startConflicting(ctx context.Context, others []string, copies hostcopy.Directories) error {
	name := clone.NewName(s.stem) + ".service"
	s.protection.unit, s.protection.copies = name, copies
	text := conflictingText(others, copies.Over)
	if err := clone.Write(s.current.Place, map[string]string{conflictingFile(name): text}); err != nil {
		return err
	}
	description := "What trials of " + s.unit.Name + " write"
	result, err := s.launcher().StartTransient(ctx, systemd.IgnoreDependencies, description, name)
	if err == nil && result != systemd.Done {
		err = errors.New("job " + result)
	}
	if err != nil {
		return fmt.Errorf("guard the data of %s: %w", s.unit.Name, err)
	}
	return nil
}

// stopConflicting stops the conflicting unit and removes its file.
func (s *series) stopConflicting(ctx context.Context) {
	if s.protection.unit != "" {
		s.current.Manager().Release(ctx, s.protection.unit)
		clone.Remove(s.current.Place, []string{conflictingFile(s.protection.unit)})
	}
}

func conflictingFile(name string) string { return name + ".d/" + clone.EarlyDropin }

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

// ownService is the service in which this process runs, empty if it is in none; cgroups(7).
func ownService() string {
	group, _ := os.ReadFile("/proc/self/cgroup")
	for line := range strings.Lines(string(group)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok && unit.Type(name) == "service" {
			return path.Base(name)
		}
	}
	return ""
}
