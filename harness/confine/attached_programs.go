package confine

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"temper/harness/witness"
)

// attachable are the points of a control group where systemd attaches programs; see systemd.resource-control(5).
var attachable = []ebpf.AttachType{
	ebpf.AttachCGroupInetIngress, ebpf.AttachCGroupInetEgress, ebpf.AttachCGroupDevice,
	ebpf.AttachCGroupInet4Bind, ebpf.AttachCGroupInet6Bind,
}

// attachedPrograms lists the names of the BPF programs that are attached to a control group, a directory, itself. The
// error wraps [witness.ErrUnsupported] where this kernel does not tell.
func attachedPrograms(cgroup string) ([]string, error) {
	dir, err := os.Open(cgroup)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names := []string{} // not nil: it is known that there are none
	for _, point := range attachable {
		result, err := link.QueryPrograms(link.QueryOptions{Target: int(dir.Fd()), Attach: point})
		if err != nil {
			return nil, fmt.Errorf("%w: programs of %s: %w", witness.ErrUnsupported, cgroup, err)
		}
		for _, attached := range result.Programs {
			name, err := programName(attached.ID)
			if errors.Is(err, os.ErrNotExist) {
				continue // it was replaced meanwhile
			}
			if err != nil {
				return nil, fmt.Errorf("%w: %w", witness.ErrUnsupported, err)
			}
			names = append(names, name)
		}
	}
	return names, nil
}

func programName(id ebpf.ProgramID) (string, error) {
	p, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return "", err
	}
	defer p.Close()
	info, err := p.Info()
	if err != nil {
		return "", err
	}
	return info.Name, nil
}
