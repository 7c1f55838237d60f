// Package attach enforces the directives for which systemd attaches BPF programs to a control group, where systemd
// itself is not allowed to: IPAddressDeny=, SocketBindDeny=, RestrictNetworkInterfaces=, DevicePolicy= and their
// exceptions.
//
// [Read] the rules from the properties of a unit that is loaded and does not run yet, and of the slices that it is in.
// Then [Rules.Attach] them to the control group in which it will run. The programs have the same names as systemd's and
// decide like them; see systemd.resource-control(5). The root of a container with its own users cannot detach them.
//
// It needs Linux 5.8, root and cgroup2.
package attach

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
)

// Rules say which packets, ports and devices a unit may use. The zero value forbids nothing.
type Rules struct {
	AddressAllow, AddressDeny []netip.Prefix // packets to and from what is allowed pass, then those that are not denied
	BindAllow, BindDeny       []Ports        // as for addresses
	Interfaces                *Interfaces    // nil: all
	Devices                   []Device       // that may be opened
	OnlyDevices               bool           // and no others
}

// Ports are sockets that are bound to an address.
type Ports struct {
	Family   int    // AF_INET or AF_INET6; 0 is both
	Protocol int    // IPPROTO_TCP or IPPROTO_UDP; 0 is both
	Count    uint16 // of the ports from First on; 0 is all ports
	First    uint16
}

// Interfaces are network interfaces by their numbers.
type Interfaces struct {
	Numbers []int
	Allowed bool // packets pass over these and no others; else over all others
}

// Device is a device, or all of one driver.
type Device struct {
	Block               bool
	Major, Minor        uint32
	AllMinor            bool
	Read, Write, Create bool
}

// Attached are the programs on a control group. They stay attached until [Attached.Close] or the end of this process.
type Attached struct{ links []link.Link }

// Attach attaches the programs for the rules to a control group, a directory. They apply to its processes and to those
// of all control groups below it. If the kernel refuses some of the programs, Attach returns an error about these, and
// the others are attached.
func (r Rules) Attach(cgroup string) (*Attached, error) {
	a := &Attached{}
	programs := r.programs()
	if len(programs) == 0 {
		return a, nil
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		return a, err
	}
	var errs []error
	for _, spec := range programs {
		if err := a.attach(cgroup, spec); err != nil {
			errs = append(errs, fmt.Errorf("BPF program %s: %w", spec.Name, err))
		}
	}
	return a, errors.Join(errs...)
}

func (a *Attached) attach(cgroup string, spec *ebpf.ProgramSpec) error {
	program, err := ebpf.NewProgram(spec)
	if err != nil {
		return err
	}
	defer program.Close() // the link keeps it
	l, err := link.AttachCgroup(link.CgroupOptions{Path: cgroup, Attach: spec.AttachType, Program: program})
	if err == nil {
		a.links = append(a.links, l)
	}
	return err
}

// Close detaches the programs.
func (a *Attached) Close() error {
	var errs []error
	for _, l := range a.links {
		errs = append(errs, l.Close())
	}
	a.links = nil
	return errors.Join(errs...)
}
