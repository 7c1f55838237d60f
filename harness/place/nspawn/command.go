package nspawn

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"temper/internal/hint"
)

// withProc becomes systemd-nspawn after it was told that it is in its cgroups, and has mounted the proc(5) of the new
// PID namespace, which only a process inside can (Linux up to 6.16): with the machine's, systemd-nspawn would take
// other processes for its own.
const withProc = `read -r _ && exec </dev/null && "$0" -t proc proc /proc && exec "$@"`

// command is the systemd-nspawn(1) of this container. --keep-unit and --register=no keep it off the machine's systemd:
// it runs in the cgroup made for it, and inside a PID namespace where its numbers would mean other processes to others.
func (c *Container) command() *exec.Cmd {
	args := []string{
		"--quiet", "--boot", "--directory=" + merged, "--machine=temper-" + c.ID,
		"--keep-unit", "--register=no", "--settings=no", "--link-journal=no", "--resolv-conf=off", "--timezone=off",
		"--private-network", "--console=read-only",
	}
	args = append(args, c.privileges()...)
	if c.Hostname != "" {
		args = append(args, "--hostname="+c.Hostname)
	}
	cmd := exec.Command("/bin/sh", "-c", withProc, c.programs.mount, c.programs.nspawn)
	cmd.Args = slices.Concat(cmd.Args, args, c.kernelCommandLine())
	cmd.Dir = "/"
	cmd.Env = []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1", // cgroup2 for the container where this machine is of the hybrid kind
		"SYSTEMD_LOG_TARGET=console",         // as PID 1 of its namespace it would log to the kernel instead
		"SYSTEMD_LOG_LEVEL=notice",
	}
	cmd.Stdout, cmd.Stderr = &c.console, &c.console
	cmd.WaitDelay = 2 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:      true, // Ctrl-C is for the caller
		Pdeathsig:   syscall.SIGKILL,
		UseCgroupFD: true,
		CgroupFD:    c.CgroupFD,
	}
	return cmd
}

// ErrUnavailable says that this machine cannot boot any container.
var ErrUnavailable = errors.New("this machine cannot boot a container")

// programs are the paths of what starts a container.
type programs struct {
	nspawn, mount string
	help          string // what systemd-nspawn says of its options
}

// has reports whether systemd-nspawn has an option.
func (p programs) has(option string) bool { return strings.Contains(p.help, option) }

// findPrograms resolves every link on the way to a program: some distributions keep links to all programs below /run,
// which is hidden when they are started.
func findPrograms() (programs, error) {
	const advice = "install systemd-nspawn: apt-get install systemd-container " +
		"(the package is systemd-container in Fedora and openSUSE too, and systemd itself in Arch)"
	var found programs
	path, err := exec.LookPath("systemd-nspawn")
	if err != nil {
		return found, hint.With(fmt.Errorf("%w: systemd-nspawn is not installed", ErrUnavailable), advice)
	}
	if found.nspawn, err = filepath.EvalSymlinks(path); err != nil {
		return found, err
	}
	if path, err = exec.LookPath("mount"); err != nil {
		return found, hint.With(fmt.Errorf("%w: mount(8) is not installed", ErrUnavailable),
			"install the package mount or util-linux")
	}
	found.mount, err = filepath.EvalSymlinks(path)
	return found, err
}
