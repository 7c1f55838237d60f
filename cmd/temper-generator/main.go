// Command temper-generator is temper's systemd.generator(7): at boot and at every daemon-reload it writes the drop-ins
// that were proven, or that the settings ask for.
//
// Nearly always the drop-ins are those of the last boot, which the boot record holds. This program is small, so that it
// starts fast: it checks that the record still applies and copies its drop-ins. In all other cases it executes
// temper-decide in its place.
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

// patience is how long this generator waits for the other generators: their units and drop-ins count too.
const patience = 10 * time.Second

// deadline ends a wait for a file system that does not answer, long before systemd kills all generators (after 90 s).
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

// copied writes the drop-ins of the boot record into the first of the directories that systemd passes. It returns false
// if temper-decide has to decide again, even if something was already written.
func copied(root string, args []string) (done bool) {
	defer func() {
		if recover() != nil {
			done = false
		}
	}()
	disabled, err := ready.Disabled(root)
	cmdline, unknown := ready.CommandLine(root)
	if len(args) != 4 || strings.Contains(cmdline, "temper") || disabled || err != nil || unknown != nil {
		return false
	}
	return ready.Copy(root, args[1])
}

// decide executes temper-decide in place of this program, and returns only if that fails.
func decide(args []string) error {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlink("/proc/self/exe", buf)
	if err != nil {
		return err
	}
	// The installed temper-decide is not in the directory of generators, since systemd starts every program there. One
	// that was just built is in the same directory as this program.
	for _, dir := range []string{"../../temper", "."} {
		program := path.Join(path.Dir(string(buf[:n])), dir, "temper-decide")
		if err = unix.Exec(program, args, unix.Environ()); err != unix.ENOENT {
			break
		}
	}
	return err
}
