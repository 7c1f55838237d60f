// Command temper-generator is temper's systemd.generator(7): at boot and at every daemon-reload it writes the drop-ins that
// were proven, or that the settings ask for.
//
// Nearly always the answer is the one of the last boot and lies ready; this program, which is small so that it starts at once,
// checks that and copies it. Everything else it leaves to temper-decide, which it becomes.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"temper/internal/host"
	"temper/internal/kmsg"
	"temper/internal/ready"
)

// patience is how long the other generators are waited for, whose units and drop-ins count as much as those of files.
const patience = 10 * time.Second

func main() {
	root := host.Root(os.Getenv("TEMPER_ROOT"))
	if os.Getenv("SYSTEMD_SCOPE") == "user" || host.InInitrd(root) || !host.HasProfiles(root) {
		return
	}
	host.AwaitGenerators(patience)
	if !copied(root, os.Args[1:]) {
		decide()
	}
}

// copied writes what lies ready into the first of the directories that systemd gives. It is false, whatever was written by
// then, where somebody has to look closer.
func copied(root host.Root, args []string) (done bool) {
	defer func() {
		if recover() != nil {
			done = false
		}
	}()
	if len(args) != 3 || strings.Contains(host.CommandLine(root), "temper") || host.Disabled(root) {
		return false
	}
	return ready.Copy(string(root), args[0])
}

// decide becomes temper-decide. It returns never; without that program the units stay as they are.
func decide() {
	self, err := os.Readlink("/proc/self/exe")
	if err == nil {
		// Installed beside the directory of generators, all of whose programs systemd starts; built, beside this one.
		for _, dir := range []string{"../../temper", "."} {
			program := filepath.Join(filepath.Dir(self), dir, "temper-decide")
			if err = unix.Exec(program, os.Args, os.Environ()); err != unix.ENOENT {
				break
			}
		}
	}
	kmsg.Open("temper-generator").Error(fmt.Errorf("temper-decide does not run, units stay as they are: %w", err))
	os.Exit(1)
}
