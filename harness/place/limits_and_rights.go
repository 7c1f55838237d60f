package place

import (
	"golang.org/x/sys/unix"

	"temper/harness/place/cgroup"
	"temper/harness/place/nspawn"
)

// Limits bound what a container can use of the machine. The zero value stands for a share of the machine's memory and
// for more tasks than services have. A trusted place has no limits.
type Limits = cgroup.Limits

const (
	defaultTasks = 2048
	mostMemory   = 4 << 30
	leastMemory  = 1 << 30
)

// complete fills in what l leaves open: a quarter of the memory, but at least a gigabyte or half of the memory.
func complete(l Limits) (Limits, error) {
	if l.Tasks == 0 {
		l.Tasks = defaultTasks
	}
	if l.Memory == 0 {
		var info unix.Sysinfo_t
		if err := unix.Sysinfo(&info); err != nil {
			return l, err
		}
		all := uint64(info.Totalram) * uint64(info.Unit)
		l.Memory = min(max(all/4, min(all/2, leastMemory)), mostMemory)
	}
	return l, nil
}

// LimitsReached is how often the processes of the place have run into each of its limits. What fails after that may say
// nothing about what failed.
func (p *Place) LimitsReached() cgroup.Reached {
	if p.box == nil {
		return nil
	}
	return p.box.group.LimitsReached()
}

// Trusted reports whether the root of the place has the rights of the machine's root: on the host, and in a container
// with Options.Trusted.
func (p *Place) Trusted() bool { return !p.users.Private() }

// Withholds reports whether the place refuses its root a system call that a capability would allow on the machine.
func (p *Place) Withholds(capability, call string) bool {
	return !p.Trusted() && nspawn.Withholds(capability, call)
}

// Downgrades reports whether the place refuses its root a system call that a capability would allow on the machine, and
// without which programs still work.
func (p *Place) Downgrades(capability, call string) bool {
	return !p.Trusted() && nspawn.Downgrades(capability, call)
}
