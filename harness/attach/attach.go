// Package attach enforces what systemd enforces with BPF programs on a control group, where systemd itself may not:
// IPAddressDeny=, SocketBindDeny=, RestrictNetworkInterfaces=, DevicePolicy= and the exceptions from them.
//
// Read the [Rules] from what a service manager says of a unit that is loaded and does not run yet, and [Rules.Attach]
// them to a control group in which it will run. The programs have the names of systemd's and decide as they do; see
// systemd.resource-control(5). Whoever is root in a container with users of its own cannot take them off.
//
// Limits: of a slice's own IPAddressDeny= and the like nothing is known. Needs Linux 5.8, root and cgroup2.
package attach

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
)

// Rules are what a unit may exchange, bind and open. The zero value forbids nothing.
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

// Attached are programs on a control group. They stay until [Attached.Close] or the end of this process.
type Attached struct{ links []link.Link }

// Attach attaches the programs for the rules to a control group, a directory: they hold for its processes and for
// those of all control groups below it. The error is about the programs that this kernel does not take; those that it
// took are attached.
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

// Close takes the programs off.
func (a *Attached) Close() error {
	var errs []error
	for _, l := range a.links {
		errs = append(errs, l.Close())
	}
	a.links = nil
	return errors.Join(errs...)
}
