// Command temper-generator is temper's systemd.generator(7): at boot and at every daemon-reload it writes the drop-ins
// that were proven, or that the settings ask for.
//
// Nearly always the answer is the one of the last boot and lies ready; this program, which is small so that it starts
// at once, checks that and copies it. Everything else it leaves to temper-decide, which it becomes.
package main

import (
	"errors"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"temper/internal/kmsg"
	"temper/internal/ready"
)

// patience is how long the other generators are waited for, whose units and drop-ins count as much as those of files.
const patience = 10 * time.Second

// deadline ends a wait for a file system that does not answer long before systemd loses patience with all generators
// (90 s).
const deadline = 20 * time.Second

func main() {
	time.AfterFunc(deadline, func() { fail("not done after " + deadline.String() + ": units stay as they are") })
	root, _ := unix.Getenv("TEMPER_ROOT")
	scope, _ := unix.Getenv("SYSTEMD_SCOPE")
	if scope == "user" {
		return
	}
	wanted, err := hasWork(root)
	if err != nil {
		fail("units stay as they are: " + err.Error())
	}
	if !wanted {
		return
	}
	ready.AwaitGenerators(patience)
	if args := ready.Args(); !copied(root, args) {
		fail("temper-decide does not run, units stay as they are: " + decide(args).Error())
	}
}

// hasWork reports whether this machine, and not its initrd, has profiles.
func hasWork(root string) (bool, error) {
	initrd, err := ready.InInitrd(root)
	if err != nil || initrd {
		return false, err
	}
	return ready.HasProfiles(root)
}

func fail(why string) {
	kmsg.Open("temper-generator").Error(errors.New(why))
	unix.Exit(1)
}

// copied writes what lies ready into the first of the directories that systemd gives. It is false, whatever was written
// by then, where somebody has to look closer.
func copied(root string, args []string) (done bool) {
	defer func() {
		if recover() != nil {
			done = false
		}
	}()
	disabled, err := ready.Disabled(root)
	if len(args) != 4 || strings.Contains(ready.CommandLine(root), "temper") || disabled || err != nil {
		return false
	}
	return ready.Copy(root, args[1])
}

// decide becomes temper-decide, and returns only if it cannot.
func decide(args []string) error {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlink("/proc/self/exe", buf)
	if err != nil {
		return err
	}
	// Installed, it lies beside the directory of generators, all of whose programs systemd starts; built, beside this
	// one.
	for _, dir := range []string{"../../temper", "."} {
		program := path.Join(path.Dir(string(buf[:n])), dir, "temper-decide")
		if err = unix.Exec(program, args, unix.Environ()); err != unix.ENOENT {
			break
		}
	}
	return err
}
