package trial

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"temper/harness/attach"
	"temper/harness/confine"
	"temper/internal/scarce"
	"temper/internal/systemd"
)

// The systemd of a place whose root is not trusted may not use bpf(2), and goes on without it. There temper itself
// enforces the directives that need it, from outside: the service gets its own slice, and before its first process
// runs, temper attaches to the slice the BPF programs for the properties that the manager reports of the service and of
// the slices that it is in on the machine. They stay attached when the service restarts.

// slice is the slice of a launch; empty if systemd enforces everything itself.
func (s Launcher) slice(stem string) string {
	if !s.Clone.OwnSlice {
		return ""
	}
	return s.Clone.Slice(stem)
}

// attachRules attaches the programs for the properties of the service to its slice. A program that the kernel does not
// accept is no error: then the directive is seen to have no effect.
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
	var above []systemd.Properties
	for _, name := range l.Clone.Unit.Slices() {
		p, err := manager.Unit(ctx, name)
		if err != nil {
			return err
		}
		above = append(above, p)
	}
	all, err := attach.Read(features, l.Place, properties, above...)
	if err != nil {
		return err
	}
	for _, rules := range all {
		attached, err := rules.Attach(l.sliceDirectory())
		if scarce.Is(err) { // that says nothing about the kernel
			return errors.Join(err, attached.Close())
		}
		l.attached, l.notAttached = append(l.attached, attached), errors.Join(l.notAttached, err)
	}
	return nil
}

// detachRules takes the slice away, and what is attached to it.
func (l *launch) detachRules(ctx context.Context) {
	if l.slice == "" {
		return
	}
	l.Place.Manager().Release(ctx, l.slice)
	for _, a := range l.attached {
		_ = a.Close() // what does not come off goes with the control group
	}
}

func (l *launch) sliceDirectory() string {
	return filepath.Join(l.Place.Cgroup(), "system.slice", l.slice)
}

// subject is the main process of a service of the launch.
func (l *launch) subject(s systemd.Service) confine.Subject {
	subject := Subject(l.Place, s)
	subject.Unhardened = l.Unhardened
	if l.slice != "" {
		subject.Cgroups = append(subject.Cgroups, l.sliceDirectory())
		subject.NotAttached = l.notAttached
	}
	return subject
}
