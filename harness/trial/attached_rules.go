package trial

import (
	"context"
	"path/filepath"
	"strings"

	"temper/harness/attach"
	"temper/harness/confine"
	"temper/internal/systemd"
)

// The systemd of a place whose root is not trusted may not use bpf(2), and goes on without. There temper enforces what
// systemd would have, from outside: the service gets a slice of its own, and before its first process runs the slice
// gets the programs that stand for what the manager says of the unit. They stay when the service is started again.

// slice is the slice of a launch; empty where systemd enforces everything itself.
func (s Launcher) slice(stem string) string {
	if !s.Clone.OwnSlice {
		return ""
	}
	return s.Clone.Slice(stem)
}

// attachRules attaches to the slice what the manager says of the service. A kernel that does not take a program is no
// error: the directive is seen to have no effect.
func (l *launch) attachRules(ctx context.Context) error {
	manager := l.Place.Manager()
	properties, err := manager.Unit(ctx, strings.Replace(l.name, "@.", "@0.", 1)) // of a template, any instance
	if err != nil {
		return err
	}
	features, err := manager.Features(ctx)
	if err != nil {
		return err
	}
	rules, err := attach.Read(properties, features, l.Place)
	if err != nil {
		return err
	}
	l.attached, l.notAttached = rules.Attach(l.sliceDirectory())
	return nil
}

// detachRules takes the slice away, and what is attached to it.
func (l *launch) detachRules(ctx context.Context) {
	if l.slice == "" {
		return
	}
	l.Place.Manager().Release(ctx, l.slice)
	if l.attached != nil {
		_ = l.attached.Close() // what does not come off goes with the control group
	}
}

func (l *launch) sliceDirectory() string {
	return filepath.Join(l.Place.Cgroup(), "system.slice", l.slice)
}

// subject is the main process of a service of the launch.
func (l *launch) subject(s systemd.Service) confine.Subject {
	subject := Subject(l.Place, s)
	if l.slice != "" {
		subject.Cgroups = append(subject.Cgroups, l.sliceDirectory())
		subject.NotAttached = l.notAttached
	}
	return subject
}
