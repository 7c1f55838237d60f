package runningunit

import (
	"context"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"temper/analyzer/exposure"
	"temper/analyzer/online"
	"temper/generator"
	"temper/harness/confine"
	"temper/harness/place"
	"temper/harness/trial"
	"temper/internal/directive"
	"temper/internal/host"
	"temper/internal/inforce"
	"temper/internal/systemd"
	"temper/internal/verdict"
)

// A Machine reads what runs on this machine; see [inforce.Machine].
type Machine struct {
	Place   *place.Place
	Options exposure.Options
}

// activeStates are the states of a unit that runs or is about to.
var activeStates = []string{"active", "reloading", "activating", "deactivating", "refreshing"}

// Services lists the services that run.
func (m Machine) Services(ctx context.Context) ([]string, error) {
	units, err := m.Place.Manager().Units(ctx, activeStates, []string{"*.service"})
	var names []string
	for _, u := range units {
		if u.LoadState == "loaded" {
			names = append(names, u.Name)
		}
	}
	return names, err
}

// Read reads what is seen of a service.
func (m Machine) Read(
	ctx context.Context, name string, plan generator.Plan, v verdict.Verdict,
) (inforce.Running, error) {
	s, err := m.Place.Manager().Service(ctx, name)
	if err != nil {
		return inforce.Running{}, err
	}
	r := inforce.Running{Active: slices.Contains(activeStates, s.Active)}
	if score, err := online.Score(ctx, m.Place.Manager(), name, m.Options); err == nil {
		r.Exposure = float64(score.Exposure) / 10
	}
	began := time.UnixMicro(int64(systemd.Get[uint64](s.Properties, "ExecMainStartTimestamp")))
	var written time.Time
	r.Loaded, written = m.loaded(systemd.Get[[]string](s.Properties, "DropInPaths"))
	r.Since = r.Loaded != "" && began.After(m.inForceSince(ctx, v, r.Loaded, written))
	subject := trial.Subject(m.Place, s)
	if subject.PID == 0 {
		return r, nil
	}
	r.Main = true
	now, err := confine.Read(subject, plan)
	if err != nil {
		return r, err
	}
	r.Holds, r.Missing = now.Holds, now.NoEffect
	if proved := changed(m.Place.Root(), verdictFile(v.Unit)); began.Before(proved) {
		before, err := confine.Read(subject, beforeDemotions(v))
		if err != nil {
			return r, err
		}
		r.Demoted = before.Holds
	}
	return r, nil
}

// loaded returns the drop-in of temper among those that the manager has loaded, and when it was written.
func (m Machine) loaded(dropins []string) (text string, written time.Time) {
	for _, file := range dropins {
		if path.Base(file) != generator.Dropin || !strings.HasPrefix(file, "/run/systemd/generator/") {
			continue
		}
		data, err := m.Place.Root().ReadFile(file)
		if err == nil { // a file that is gone waits for a reload
			return string(data), changed(m.Place.Root(), file)
		}
	}
	return "", time.Time{}
}

// inForceSince is the time after which each start was certainly under the drop-in that is loaded. The generator writes
// it again at each reload of the manager; where the verdict has that text, and nothing on which the drop-in depends is
// newer than the manager, it is the time at which the manager was started.
func (m Machine) inForceSince(ctx context.Context, v verdict.Verdict, loaded string, written time.Time) time.Time {
	scope, err := m.Place.Manager().Unit(ctx, "init.scope")
	if err != nil || v.Dropin == "" || !strings.HasPrefix(loaded, v.Dropin) {
		return written
	}
	booted := time.UnixMicro(int64(systemd.Get[uint64](scope, "ActiveEnterTimestamp")))
	if decided := decidedAt(m.Place.Root(), v.Unit); !decided.IsZero() && decided.Before(booted) {
		return booted
	}
	return written
}

// decidedAt is the latest change of what decides that the verdict on a unit is applied: the verdict, the settings, the
// switch that turns everything off, links that keep the drop-in away from the unit, and the generator. It is the zero
// time if this machine has no verdict.
func decidedAt(root host.Root, unit string) time.Time {
	last := changed(root, verdictFile(unit))
	if last.IsZero() {
		return last
	}
	for _, name := range []string{
		"/etc/temper", // it changes when the switch appears in it, or goes
		generator.SettingsFile,
		"/etc/systemd/system/" + unit + ".d",
		"/run/systemd/system/" + unit + ".d",
		"/usr/lib/systemd/system-generators/temper-generator",
	} {
		if at := changed(root, name); at.After(last) {
			last = at
		}
	}
	return last
}

// verdictFile is the file of this machine's verdict on a unit.
func verdictFile(name string) string { return path.Join(verdict.Dirs[0], name+".json") }

// changed is the ctime of a file, the zero time if there is none.
func changed(root host.Root, file string) time.Time {
	info, err := root.Stat(file)
	if err != nil {
		return time.Time{}
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return time.Time{}
	}
	return time.Unix(st.Ctim.Unix())
}

// beforeDemotions is a plan with what the demoted directives of a verdict were before.
func beforeDemotions(v verdict.Verdict) generator.Plan {
	plan := generator.Plan{Unit: v.Unit, Profile: v.Profile}
	for _, d := range v.Demotions {
		of, known := directive.Lookup(d.Directive)
		if lines := (verdict.Demotion{To: d.From}).Lines(); known && len(lines) > 0 && d.From != "" {
			plan.Items = append(plan.Items, generator.Item{Directive: of, Lines: lines})
		}
	}
	return plan
}
