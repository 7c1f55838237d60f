package confine

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"temper/generator"
	"temper/harness/proc"
	"temper/internal/host"
)

// A loss is a mount option that a process has without hardening and lacks with it.
type loss struct {
	path   string // where it is lost
	point  string // of the mount on which the path lies with hardening
	option string
}

func (l loss) String() string {
	return fmt.Sprintf("takes the mount option %s from %s", l.option, l.path)
}

// closing are the mount options that take something away, ro first.
var closing = []string{"ro", "noexec", "nosuid", "nodev"}

// weakens says which directives of a plan mount something without an option that the process has there without the
// plan. Where the table does not tell which of them mounts there, it says so of all of them that mount anything, unless
// the unit itself mounts nothing: what is lost then is what the service had mounted.
func (t traces) weakens(plan generator.Plan) map[string]string {
	weak := map[string]string{}
	isRoot := func(i generator.Item) bool { return i.Directive.IsRoot() }
	for _, l := range t.lost(slices.ContainsFunc(plan.Items, isRoot)) {
		for _, d := range t.culprits(plan, l) {
			weak[d] = cmp.Or(weak[d], l.String())
		}
	}
	return weak
}

func (t traces) culprits(plan generator.Plan, l loss) []string {
	var there, anywhere []string
	for _, i := range plan.Items {
		points := i.Directive.MountPoints(i.Lines, t.Version)
		if len(points) > 0 && t.Unhardened.OwnMounts {
			anywhere = append(anywhere, i.Directive.Name)
		}
		if slices.Contains(points, l.point) {
			there = append(there, i.Directive.Name)
		}
	}
	if there == nil {
		return anywhere
	}
	return there
}

// lost compares the mounts of the process with those that the service has without hardening, at every mount point of
// either. moved says that the process has another root directory, where a path is another file.
func (t traces) lost(moved bool) []loss {
	unhardened := t.Unhardened.Mounts
	if unhardened == nil {
		return nil
	}
	root := host.At(t.process.Root())
	var all []loss
	for _, point := range points(unhardened, t.process.mounts) {
		before, now := proc.Covering(unhardened, point), proc.Covering(t.process.mounts, point)
		if _, err := root.Lstat(point); err != nil || isPressure(point) || isEmpty(now, unhardened) {
			continue
		}
		options := closing
		if moved {
			options = inAnotherRoot(point, now, unhardened)
		}
		for _, option := range options {
			if before.Has(option) && !now.Has(option) && !t.keeps(option) && !t.ofPlace(point, option) {
				all = append(all, loss{point, now.Point, option})
			}
		}
	}
	return all
}

// inAnotherRoot lists the options that count at a point where a path is another file: none in the root directory itself
// and in what was mounted below a new file system, and for that all but ro, since it has nothing that could not be
// written.
func inAnotherRoot(point string, now proc.Mount, unhardened []proc.Mount) []string {
	fresh := isNew(now, unhardened)
	switch {
	case now.Point == "/", fresh && point != now.Point:
		return nil
	case fresh:
		return closing[1:]
	}
	return closing
}

// isEmpty reports whether there is nothing in a mount and nobody can put anything there: it is a path that systemd has
// made inaccessible, or a read-only file system of which nothing is mounted without hardening.
func isEmpty(m proc.Mount, unhardened []proc.Mount) bool {
	return strings.Contains(m.Root, "/systemd/inaccessible/") || isNew(m, unhardened) && m.Has("ro")
}

// isNew reports whether nothing of the file system of a mount is mounted without hardening.
func isNew(m proc.Mount, unhardened []proc.Mount) bool {
	return !slices.ContainsFunc(unhardened, func(u proc.Mount) bool { return u.Device == m.Device })
}

// isPressure reports whether a path is the file by which a service is told that memory is short. systemd itself opens
// it to each service for its own control group, whose name differs from launch to launch; see MemoryPressureWatch= in
// systemd.resource-control(5).
func isPressure(point string) bool {
	return host.Below("/sys/fs/cgroup", point) && path.Base(point) == "memory.pressure"
}

// points are the different mount points of two processes.
func points(a, b []proc.Mount) []string {
	var all []string
	for _, m := range slices.Concat(a, b) {
		all = append(all, m.Point)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// keeps reports whether the process is refused what an option refuses, whatever mount a file lies on: no program gives
// privileges to a process with no_new_privs.
func (t traces) keeps(option string) bool {
	return option == "nosuid" && t.process.status["NoNewPrivs"] == "1"
}

// ofPlace reports whether a container, and not the unit, closes a path of the kernel's: a new /proc does not have what
// the container has mounted over the first one.
func (t traces) ofPlace(point, option string) bool {
	kernel := host.Below("/proc", point) || host.Below("/sys", point)
	return kernel && proc.Covering(t.leader.mounts, point).Has(option)
}
