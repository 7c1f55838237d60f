package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"temper/internal/systemd"
)

// Limits bound what all processes of a cgroup can use together. The zero value is no limit.
type Limits struct {
	Tasks  uint64 // processes and threads
	Memory uint64 // bytes, those of files in memory included
}

// ErrNoLimits says that this machine has no way to limit what a cgroup uses.
var ErrNoLimits = errors.New("this machine cannot limit what a container uses")

// A controller is what the kernel limits one resource with, and its files in the two versions of cgroups.
type controller struct {
	name, unit          string // and the property of systemd's scopes
	limit, limit1       string
	events, events1     string
	reached, reached1   string // the key in the events file that counts how often the limit was reached
	alsoLimit, also1    string // a file, which need not exist, that closes a way round the limit
	alsoValue           string // "" is the limit itself
	alsoUnit            string // the property of systemd's scopes that is zero with a limit; "" if there is none
	describe            string
	value               func(Limits) uint64
	eventsOfDescendants bool // the kernel counts an event in the cgroup of the process, not in that of the limit
}

var controllers = []controller{
	{
		name: "pids", unit: "TasksMax", limit: "pids.max", limit1: "pids.max", describe: "tasks",
		events: "pids.events", events1: "pids.events", reached: "max", reached1: "max", eventsOfDescendants: true,
		value: func(l Limits) uint64 { return l.Tasks },
	},
	{
		name: "memory", unit: "MemoryMax", limit: "memory.max", limit1: "memory.limit_in_bytes", describe: "memory",
		events: "memory.events.local", events1: "memory.oom_control", reached: "oom", reached1: "oom_kill",
		alsoLimit: "memory.swap.max", alsoValue: "0", also1: "memory.memsw.limit_in_bytes",
		alsoUnit: "MemorySwapMax",
		value:    func(l Limits) uint64 { return l.Memory },
	},
}

// properties are those of a scope of systemd with the limits.
func (l Limits) properties() []systemd.Property {
	list := []systemd.Property{}
	for _, c := range controllers {
		value := c.value(l)
		if value > 0 && c.alsoUnit != "" {
			list = append(list, systemd.Property{Name: c.alsoUnit, Value: uint64(0)})
		}
		if value == 0 {
			value = ^uint64(0)
		}
		list = append(list, systemd.Property{Name: c.unit, Value: value})
	}
	return list
}

// setLimits sets the limits. Where a controller belongs to a version 1 tree, the container must join a directory there;
// see [Group.Join]. Without limits it joins too, where it can: a container in it then sees that part of the tree alone.
func (g *Group) setLimits(l Limits, unified string) error {
	if l != (Limits{}) && !systemd.Booted() {
		// Children get the controllers. It fails where another program keeps them, and is seen below.
		_ = os.WriteFile(filepath.Join(filepath.Dir(g.dir), "cgroup.subtree_control"), []byte("+pids +memory"), 0)
	}
	available, err := os.ReadFile(filepath.Join(g.dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	path, err := filepath.Rel(unified, g.dir)
	if err != nil {
		return err
	}
	for _, c := range controllers {
		value := strconv.FormatUint(c.value(l), 10)
		inUnified := slices.Contains(strings.Fields(string(available)), c.name)
		switch {
		case c.value(l) == 0 && !inUnified:
			_, _ = g.joinTree(c.name, path, false) // a container without limits does as well outside
		case c.value(l) == 0:
		case inUnified:
			g.limited = append(g.limited, limited{c, g.dir, false})
			err = setLimit(g.dir, c.limit, value, c.alsoLimit, c.alsoValue)
		default:
			err = g.setLimit1(c, path, value)
		}
		if err != nil {
			return fmt.Errorf("%w: limit its %s: %w", ErrNoLimits, c.describe, err)
		}
	}
	return nil
}

// setLimit1 sets a limit in the version 1 tree of a controller.
func (g *Group) setLimit1(c controller, path, value string) error {
	dir, err := g.joinTree(c.name, path, true)
	if err != nil {
		return err
	}
	g.limited = append(g.limited, limited{c, dir, true})
	return setLimit(dir, c.limit1, value, c.also1, value)
}

func setLimit(dir, file, value, also, alsoValue string) error {
	if err := overwrite(filepath.Join(dir, file), value); err != nil {
		return err
	}
	if also == "" {
		return nil
	}
	err := overwrite(filepath.Join(dir, also), alsoValue)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil // a kernel that does not count swap has no such file
	}
	return err
}

// overwrite writes to a file that exists: a limit that is written where no cgroup is must fail.
func overwrite(file, value string) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// A limited cgroup is a directory with a limit that is set.
type limited struct {
	controller
	dir string
	v1  bool
}

// LimitsReached is how often the processes of the cgroup have run into each limit: "memory", "tasks".
func (g *Group) LimitsReached() Reached {
	reached := Reached{}
	for _, l := range g.limited {
		reached[l.describe] = l.count()
	}
	return reached
}

// Reached is how often processes have run into limits, by what is limited.
type Reached map[string]uint64

// Since names the limits that were reached after an earlier count.
func (r Reached) Since(earlier Reached) []string {
	var list []string
	for _, what := range slices.Sorted(maps.Keys(r)) {
		if r[what] > earlier[what] {
			list = append(list, what)
		}
	}
	return list
}

// count is how often the limit was reached.
func (l limited) count() (n uint64) {
	file, key := l.events, l.reached
	if l.v1 {
		file, key = l.events1, l.reached1
	}
	_ = filepath.WalkDir(l.dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil // a cgroup that has just gone
		case d.IsDir() && name != l.dir && !l.eventsOfDescendants:
			return filepath.SkipDir
		case d.Name() != file:
			return nil
		}
		data, _ := os.ReadFile(name)
		for line := range strings.Lines(string(data)) {
			if f := strings.Fields(line); len(f) == 2 && f[0] == key {
				count, _ := strconv.ParseUint(f[1], 10, 64)
				n += count
			}
		}
		return nil
	})
	return n
}
