package place

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"temper/harness/place/kernelstate"
	"temper/harness/place/namespace"
	"temper/internal/host"
)

// KernelState returns the state of the place in the kernel that a service can change and that remains after its stop:
// what [kernelstate.Read] lists, and mounts.
func (p *Place) KernelState() (map[string]string, error) {
	var state map[string]string
	err := p.Inside(func() (err error) {
		state, err = kernelstate.Read()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the kernel's state of the place: %w", p.orEnded(err))
	}
	mounts, err := namespace.ReadMountinfo(fmt.Sprintf("/proc/%d/mountinfo", p.leader))
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 4 && !mountedBySystemd(f[4]) {
			state["the mount at "+f[4]] += f[2] + f[3]
		}
	}
	return state, p.orEnded(err)
}

// Mounts lists what is mounted for everybody in the place, without what systemd mounts and unmounts as units come and
// go: file system and path, as in "tmpfs at /mnt". For the host it returns nil: there, others mount at the same time.
func (p *Place) Mounts() (map[string]bool, error) {
	if p.box == nil {
		return nil, nil
	}
	text, err := namespace.ReadMountinfo(fmt.Sprintf("/proc/%d/mountinfo", p.leader))
	if err != nil {
		return nil, fmt.Errorf("read the mounts of the place: %w", p.orEnded(err))
	}
	list, err := mountinfo.GetMountsFromReader(bytes.NewReader(text), nil)
	if err != nil {
		return nil, fmt.Errorf("read the mounts of the place: %w", err)
	}
	mounts := map[string]bool{}
	for _, m := range list {
		if !mountedBySystemd(m.Mountpoint) {
			mounts[m.FSType+" at "+m.Mountpoint] = true
		}
	}
	return mounts, nil
}

// Inside calls f on a thread in the namespaces of the place for network, host name and System V IPC. There, files of
// proc(5) about these show the values of the place.
func (p *Place) Inside(f func() error) error {
	if p.box == nil {
		return f()
	}
	done := make(chan error, 1)
	namespace.OnOwnThread(func() {
		err := unix.Setns(p.net, unix.CLONE_NEWNET)
		for name, kind := range map[string]int{"ipc": unix.CLONE_NEWIPC, "uts": unix.CLONE_NEWUTS} {
			if err == nil {
				err = namespace.Enter(fmt.Sprintf("/proc/%d/ns/%s", p.leader, name), kind)
			}
		}
		if err == nil {
			err = f()
		}
		done <- err
	})
	return <-done
}

// mountedBySystemd reports whether systemd mounts and unmounts something at a path as units come and go.
func mountedBySystemd(name string) bool {
	for dir := range systemdDirectories {
		if host.Below(dir, name) {
			return true
		}
	}
	return false
}
