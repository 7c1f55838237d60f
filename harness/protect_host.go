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

	"temper/harness/blame"
	"temper/harness/clone"
	"temper/harness/place/hostcopy"
	"temper/harness/servicedata"
	"temper/internal/hint"
	"temper/internal/systemd"
	"temper/internal/unit"
	"temper/profiles"
)

// hostProtection protects the service on the host from trials, and also its data if the profile says so. The zero value
// protects nothing, which is right for a container.
type hostProtection struct {
	unit    string               // the unit without which no trial may run; see startConflicting
	copies  hostcopy.Directories // the directories of data that are copied
	uncover func() error         // unmounts the copies; nil while there are none
}

// protect begins the protection. Its caller ends it with unprotect, also after an error.
func (s *series) protect(ctx context.Context) error {
	loader := &unit.Loader{Root: s.current.Root(), Version: s.current.SystemdVersion(), Context: ctx}
	activation, err := clone.FindActivation(loader, s.unit)
	if err != nil {
		return err
	}
	others := append(slices.Clone(activation.Starters), s.unit.ID)
	if s.profile.Prove.State != profiles.StateRestore {
		return s.startConflicting(ctx, others, hostcopy.Directories{})
	}
	copies, err := servicedata.Of(s.unit, s.profile)
	if err == nil {
		err = s.canCopy(copies)
	}
	if err != nil {
		return err
	}
	sharers, err := s.sharers(ctx, loader, copies)
	if err != nil {
		return err
	}
	if err := s.startConflicting(ctx, append(others, sharers...), copies); err != nil {
		return err
	}
	s.alwaysFresh = len(s.profile.Prove.Setup) == 0 // the setup commands run only once
	s.protection.uncover, err = s.current.CopyOver(ctx, copies)
	return err
}

// unprotect ends the protection and gives the service its data back.
func (s *series) unprotect(ctx context.Context) error {
	err := s.uncover()
	s.stopConflicting(ctx)
	return err
}

// uncover unmounts the copies of the data, if there are any.
func (s *series) uncover() error {
	uncover := s.protection.uncover
	s.protection.uncover = nil
	if uncover == nil {
		return nil
	}
	return uncover()
}

// canCopy returns an error if the data cannot be copied on the host.
func (s *series) canCopy(copies hostcopy.Directories) error {
	refuse := func(format string, args ...any) error {
		err := fmt.Errorf("%s: state = %q: "+format, append([]any{s.unit.ID, profiles.StateRestore}, args...)...)
		return hint.With(err, "temper prove --place container "+s.unit.ID)
	}
	if len(copies.Make) > 0 && servicedata.Moves(s.unit, s.profile) {
		return refuse("a user of its own would have systemd move the service's directories, " +
			"which the host has no copy of")
	}
	for _, dir := range copies.Over {
		if blame.IsShared(dir) {
			return refuse("the service may write to %s, where others write too and the host has no copy of it", dir)
		}
	}
	return nil
}

// restoreData gives the next launch the data as it was before the first one.
func (s *series) restoreData(ctx context.Context) error {
	if err := s.uncover(); err != nil {
		return err
	}
	uncover, err := s.current.CopyOver(ctx, s.protection.copies)
	if err == nil {
		s.current.began, s.protection.uncover = time.Now(), uncover
	}
	return err
}

// sharers lists the other services whose units say that they write to a directory that is copied. It returns an error
// if one of them runs: what it writes would be lost.
func (s *series) sharers(ctx context.Context, loader *unit.Loader, copies hostcopy.Directories) ([]string, error) {
	names, err := loader.List(".service")
	if err != nil {
		return nil, err
	}
	var sharers []string
	for _, name := range names {
		u, err := loader.Load(name)
		if err != nil || unit.IsTemplate(name) || u.ID == s.unit.ID || clone.IsClone(name) {
			continue // a unit that cannot be loaded writes nothing; lock.Proof waits for other proofs
		}
		theirs, _ := servicedata.Of(u, &profiles.Profile{}) // its links matter to a proof of that service only
		dir := servicedata.Overlap(copies.Over, theirs.Over)
		if dir == "" {
			continue
		}
		if err := notRunning(ctx, s.current.Place, u.ID); errors.Is(err, ErrRunning) {
			return nil, hint.With(fmt.Errorf("%s: state = %q: %s runs, and writes to %s too",
				s.unit.ID, profiles.StateRestore, u.ID, dir), "temper prove --place container "+s.unit.ID)
		} else if err != nil {
			return nil, err
		}
		sharers = append(sharers, u.ID)
	}
	return sharers, nil
}

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
