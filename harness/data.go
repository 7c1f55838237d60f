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
	dynamic := isDynamic(u)
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
		if err != nil || forgotten.MatchString(real) {
			continue
		}
		if info, err := os.Stat(real); err == nil && info.IsDir() {
			c.Over = append(c.Over, real)
		}
	}
	c.Over = outermost(c.Over)
	return c
}

// forgotten matches what no boot finds again, and what is no file of anybody.
var forgotten = regexp.MustCompile(`^/(run|tmp|dev|proc|sys)(/|$)`)

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
	return !isDynamic(u) && slices.ContainsFunc(p.Service, func(s profiles.Setting) bool {
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

// keepData sees to it that trials on the host write nothing into the data of the service, where the profile says so, and returns
// how to put it back.
func (t *trials) keepData(ctx context.Context) (putBack func() error, err error) {
	if t.place.Kind() != "host" {
		return func() error { return nil }, nil
	}
	cloning, err := newCloning(t.place, t.unit)
	if err != nil {
		return nil, err
	}
	if t.profile.Prove.State != profiles.StateRestore {
		release, err := t.startGuard(ctx, append(cloning.starts, t.unit.ID), nil)
		if err != nil {
			return nil, err
		}
		return func() error { release(); return nil }, nil
	}
	copies := data(t.unit, t.profile)
	if len(copies.Make) > 0 && moved(t.unit, t.profile) {
		return nil, hint.With(fmt.Errorf("%s: state = %q: a user of its own would have systemd move the service's directories, which the host has no copy of",
			t.unit.ID, profiles.StateRestore), "temper prove --place container "+t.unit.ID)
	}
	for _, dir := range copies.Over {
		if blame.IsShared(dir) {
			return nil, hint.With(fmt.Errorf("%s: state = %q: the service may write to %s, where others write too and the host has no copy of it",
				t.unit.ID, profiles.StateRestore, dir), "temper prove --place container "+t.unit.ID)
		}
	}
	sharers, err := t.sharers(ctx, copies)
	if err != nil {
		return nil, err
	}
	release, err := t.startGuard(ctx, slices.Concat(cloning.starts, sharers, []string{t.unit.ID}), copies.Over)
	if err != nil {
		return nil, err
	}
	uncover, err := t.place.CopyOver(ctx, copies)
	if err != nil {
		release()
		return nil, err
	}
	if len(t.profile.Prove.Setup) == 0 { // what it did cannot be done twice
		t.renew = func(ctx context.Context) error {
			if err := uncover(); err != nil {
				return err
			}
			uncover = func() error { return nil }
			again, err := t.place.CopyOver(ctx, copies)
			if err == nil {
				t.began, uncover = time.Now(), again
			}
			return err
		}
	}
	return func() error { defer release(); return uncover() }, nil
}

// sharers lists the other services that, by their units, write to a directory of which copies are made. The error is set if one of them runs:
// what it writes would be lost.
func (t *trials) sharers(ctx context.Context, copies hostcopy.Directories) ([]string, error) {
	loader := &unit.Loader{Root: t.place.Root(), Version: t.place.SystemdVersion()}
	names, err := loader.List(".service")
	if err != nil {
		return nil, err
	}
	var sharers []string
	for _, name := range names {
		u, err := loader.Load(name)
		if err != nil || unit.IsTemplate(name) || u.ID == t.unit.ID || strings.HasPrefix(name, trialStem) {
			continue // what systemd cannot load either writes nothing; other proofs are waited for
		}
		dir := overlap(copies.Over, data(u, &profiles.Profile{}).Over)
		if dir == "" {
			continue
		}
		if err := spare(ctx, t.place, t.manager, u.ID); errors.Is(err, ErrRunning) {
			return nil, hint.With(fmt.Errorf("%s: state = %q: %s runs, and writes to %s too",
				t.unit.ID, profiles.StateRestore, u.ID, dir), "temper prove --place container "+t.unit.ID)
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

// startGuard starts a unit that sees to it that no trial runs beside the service itself, and that no service ever runs on a copy of
// its data, also if this process is killed: before one of the others starts, and when the service ends in which this process runs,
// systemd stops it, with any trial, and it takes the copies away.
func (t *trials) startGuard(ctx context.Context, others, copies []string) (release func(), err error) {
	name := fmt.Sprintf("%s-%d.service", t.stem, launches.Add(1))
	t.guard = name
	others = slices.DeleteFunc(others, unit.IsTemplate)
	text := "[Unit]\n"
	if len(others) > 0 {
		text += "Conflicts=" + strings.Join(others, " ") + "\nBefore=" + strings.Join(others, " ") + "\n"
	}
	if own := ownService(); own != "" {
		text += "BindsTo=" + own + "\n"
	}
	text += "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
	if len(copies) > 0 {
		text += "ExecStop=-umount -l"
	} else {
		text += "ExecStart=true"
	}
	for _, dir := range copies {
		text += ` "` + quoted.Replace(dir) + `"`
	}
	release = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
		defer cancel()
		t.manager.Release(ctx, name)
		t.removeUnit(name + ".d")
	}
	if err := t.write(map[string]string{name + ".d/" + earlyDropin: text + "\n"}); err != nil {
		return nil, err
	}
	result, err := t.manager.start(ctx, systemd.IgnoreDependencies, "What trials of "+t.unit.Name+" write", name)
	if err == nil && result != systemd.Done {
		err = errors.New("job " + result)
	}
	if err != nil {
		release()
		return nil, fmt.Errorf("guard the data of %s: %w", t.unit.Name, err)
	}
	return release, nil
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
