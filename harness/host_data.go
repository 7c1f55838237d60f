package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"temper/harness/blame"
	"temper/harness/place/hostcopy"
	"temper/harness/trial"
	"temper/internal/directive"
	"temper/internal/hint"
	"temper/internal/host"
	"temper/internal/refusal"
	"temper/internal/systemd"
	"temper/internal/unit"
	"temper/profiles"
)

// ownDirectories are the settings that give a service directories of its own below another; systemd.exec(5).
var ownDirectories = []struct {
	name, below string
	private     bool // those of a dynamic user are below "private", and a link leads there
}{
	{"StateDirectory", "/var/lib", true},
	{"CacheDirectory", "/var/cache", true},
	{"LogsDirectory", "/var/log", true},
	{"ConfigurationDirectory", "/etc", false},
}

// data is where a service keeps what it knows: in the directories that systemd makes for it, and in those that its unit or its
// profile opens for writing, as far as they are there. What the machine itself forgets is not among them.
func data(u *unit.Unit, p *profiles.Profile) hostcopy.Directories {
	var c hostcopy.Directories
	dynamic := trial.IsDynamic(u)
	for _, d := range ownDirectories {
		for _, word := range listed(u, d.name) {
			name, _, _ := strings.Cut(word, ":") // links and flags follow
			dir := path.Join(d.below, name)
			if dynamic && d.private {
				c.Links = append(c.Links, dir)
				dir = path.Join(d.below, "private", name)
			}
			if real, err := filepath.EvalSymlinks(dir); err == nil {
				dir = real
			}
			c.Make = append(c.Make, dir)
		}
	}
	c.Over = slices.Clone(c.Make)
	for _, dir := range opened(u, p) {
		real, err := filepath.EvalSymlinks(dir)
		if err != nil || volatile.MatchString(real) {
			continue
		}
		if info, err := os.Stat(real); err == nil && info.IsDir() {
			c.Over = append(c.Over, real)
		}
	}
	c.Over = outermost(c.Over)
	return c
}

// volatile matches what is gone after a reboot, and what is no file of anybody.
var volatile = regexp.MustCompile(`^/(run|tmp|dev|proc|sys)(/|$)`)

// opened lists the paths that a unit and its profile open for writing, where they are outside the sandbox.
func opened(u *unit.Unit, p *profiles.Profile) []string {
	d := blame.Lifting(refusal.PathReadOnly)
	list := listed(u, d.Name)
	for _, s := range p.Service {
		if s.Name == d.Name {
			for _, value := range s.Values {
				more, _ := unit.Words(value)
				list = append(list, more...)
			}
		}
	}
	for _, bind := range listed(u, "BindPaths") {
		source, _, _ := strings.Cut(bind, ":")
		list = append(list, source)
	}
	root, _ := u.Last("Service", "RootDirectory")
	for i, word := range list {
		list[i] = strings.TrimLeft(word, "-+")
		if strings.Contains(word[:len(word)-len(list[i])], "+") { // in the root of the service
			list[i] = path.Join(root.Value, list[i])
		}
	}
	return list
}

// moved reports whether the profile gives a user of its own to a service that has none: systemd then moves the directories that it
// made for the service before, which it cannot while they are covered.
func moved(u *unit.Unit, p *profiles.Profile) bool {
	return !trial.IsDynamic(u) && slices.ContainsFunc(p.Service, func(s profiles.Setting) bool {
		d, ok := directive.Lookup(s.Name)
		yes, _ := unit.Bool(s.Values[len(s.Values)-1])
		return ok && yes && d.Trace.Kind == directive.NotRoot
	})
}

// listed is what the assignments of a setting leave, without what has no value here.
func listed(u *unit.Unit, name string) []string {
	var list []string
	for _, a := range u.All("Service", name) {
		if a.Value == "" {
			list = nil
		}
		found, _ := unit.Words(a.Value)
		for _, word := range found {
			if value, err := u.Expand(word); err == nil {
				list = append(list, value)
			}
		}
	}
	return list
}

// outermost sorts directories, leaves out those that are below others, and each that comes twice.
func outermost(dirs []string) []string {
	slices.Sort(dirs)
	var list []string
	for _, dir := range dirs {
		if n := len(list); n == 0 || !host.Below(list[n-1], dir) {
			list = append(list, dir)
		}
	}
	return list
}

// hostData keeps trials on the host off the service itself, and off its data where the profile says so. The zero value is that of
// a container.
type hostData struct {
	unit    string // without which no trial may run; see conflicting
	copies  hostcopy.Directories
	uncover func() error // takes the copies away; nil while there are none
	release func()       // ends the unit; nil if there is none
}

// protect begins what hostData keeps.
func (s *session) protect(ctx context.Context) (_ hostData, err error) {
	loader := &unit.Loader{Root: s.at.Root(), Version: s.at.SystemdVersion()}
	activation, err := trial.FindActivation(loader, s.unit)
	if err != nil {
		return hostData{}, err
	}
	others := append(slices.Clone(activation.Starters), s.unit.ID)
	if s.profile.Prove.State != profiles.StateRestore {
		return s.conflicting(ctx, others, hostcopy.Directories{})
	}
	copies := data(s.unit, s.profile)
	if err := s.canCopy(copies); err != nil {
		return hostData{}, err
	}
	sharers, err := s.sharers(ctx, loader, copies)
	if err != nil {
		return hostData{}, err
	}
	d, err := s.conflicting(ctx, append(others, sharers...), copies)
	if err != nil {
		return d, err
	}
	if d.uncover, err = s.at.CopyOver(ctx, copies); err != nil {
		d.release()
		return hostData{}, err
	}
	s.fresh = len(s.profile.Prove.Setup) == 0 // what it did cannot be done twice
	return d, nil
}

// canCopy refuses data of which the host can have no copy.
func (s *session) canCopy(copies hostcopy.Directories) error {
	refuse := func(format string, args ...any) error {
		err := fmt.Errorf("%s: state = %q: "+format, append([]any{s.unit.ID, profiles.StateRestore}, args...)...)
		return hint.With(err, "temper prove --place container "+s.unit.ID)
	}
	if len(copies.Make) > 0 && moved(s.unit, s.profile) {
		return refuse("a user of its own would have systemd move the service's directories, which the host has no copy of")
	}
	for _, dir := range copies.Over {
		if blame.IsShared(dir) {
			return refuse("the service may write to %s, where others write too and the host has no copy of it", dir)
		}
	}
	return nil
}

// restoreData gives the next launch the data as it was before the first one.
func (s *session) restoreData(ctx context.Context) error {
	if err := s.data.uncoverOnce(); err != nil {
		return err
	}
	uncover, err := s.at.CopyOver(ctx, s.data.copies)
	if err == nil {
		s.at.began, s.data.uncover = time.Now(), uncover
	}
	return err
}

// putBack gives the service its data back.
func (d *hostData) putBack() error {
	err := d.uncoverOnce()
	if d.release != nil {
		d.release()
	}
	return err
}

func (d *hostData) uncoverOnce() error {
	uncover := d.uncover
	d.uncover = nil
	if uncover == nil {
		return nil
	}
	return uncover()
}

// sharers lists the other services that, by their units, write to a directory of which copies are made. The error is set if one of them runs:
// what it writes would be lost.
func (s *session) sharers(ctx context.Context, loader *unit.Loader, copies hostcopy.Directories) ([]string, error) {
	names, err := loader.List(".service")
	if err != nil {
		return nil, err
	}
	var sharers []string
	for _, name := range names {
		u, err := loader.Load(name)
		if err != nil || unit.IsTemplate(name) || u.ID == s.unit.ID || trial.IsTrial(name) {
			continue // what systemd cannot load either writes nothing; other proofs are waited for
		}
		dir := overlap(copies.Over, data(u, &profiles.Profile{}).Over)
		if dir == "" {
			continue
		}
		if err := notRunning(ctx, s.at.Place, u.ID); errors.Is(err, ErrRunning) {
			return nil, hint.With(fmt.Errorf("%s: state = %q: %s runs, and writes to %s too",
				s.unit.ID, profiles.StateRestore, u.ID, dir), "temper prove --place container "+s.unit.ID)
		} else if err != nil {
			return nil, err
		}
		sharers = append(sharers, u.ID)
	}
	return sharers, nil
}

// overlap returns a directory of one list that is one of the other, or above or below one; "" if there is none.
func overlap(a, b []string) string {
	for _, dir := range a {
		for _, other := range b {
			if host.Below(other, dir) || host.Below(dir, other) {
				return dir
			}
		}
	}
	return ""
}

// conflicting starts a unit that sees to it that no trial runs beside the service itself, and that no service ever runs on a copy of
// its data, also if this process is killed: before one of the others starts, and when the service ends in which this process runs,
// systemd stops it, with any trial, and it takes the copies away.
func (s *session) conflicting(ctx context.Context, others []string, copies hostcopy.Directories) (hostData, error) {
	d := hostData{unit: trial.NewName(s.stem) + ".service", copies: copies}
	file := d.unit + ".d/" + trial.EarlyDropin
	d.release = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
		defer cancel()
		s.at.Manager().Release(ctx, d.unit)
		trial.RemoveUnits(s.at.Place, []string{file})
	}
	if err := trial.WriteUnits(s.at.Place, map[string]string{file: conflictingText(others, copies.Over)}); err != nil {
		return hostData{}, err
	}
	result, err := s.launcher().StartTransient(ctx, systemd.IgnoreDependencies, "What trials of "+s.unit.Name+" write", d.unit)
	if err == nil && result != systemd.Done {
		err = errors.New("job " + result)
	}
	if err != nil {
		d.release()
		return hostData{}, fmt.Errorf("guard the data of %s: %w", s.unit.Name, err)
	}
	return d, nil
}

// conflictingText is the text of the unit that conflicting starts.
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
