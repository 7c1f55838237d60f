// Command temper-generator is temper's systemd.generator(7): at boot and at every daemon-reload it writes the drop-ins that
// were proven, or that the settings ask for.
//
// It reads and writes files, nothing else. Whatever goes wrong, the units that it does not reach stay as their vendor wrote
// them and the boot goes on. Exit status: 0 clean, 1 where something was reported and left out, 2 wrong usage.
package main

import (
	"fmt"
	"os"
	"time"

	"temper/generator"
	"temper/internal/host"
)

// deadline ends the generator long before systemd loses patience with all generators (90 s).
const deadline = 20 * time.Second

func main() {
	log := openLog()
	time.AfterFunc(deadline, func() {
		log.error(fmt.Errorf("not done after %s: units without a drop-in stay as they are", deadline))
		os.Exit(1)
	})
	os.Exit(run(log, os.Args[1:]))
}

// run generates into the directories that systemd gives: normal, early, late; only the first is used. A panic is a report
// like any other.
func run(log *logger, args []string) (code int) {
	defer func() {
		if p := recover(); p != nil {
			log.error(fmt.Errorf("bug, please report: %v", p))
			code = 1
		}
	}()
	if len(args) != 1 && len(args) != 3 {
		log.error(fmt.Errorf("got %d directories, want 3 or 1 as in systemd.generator(7)", len(args)))
		return 2
	}
	root := host.Root(os.Getenv("TEMPER_ROOT"))
	if os.Getenv("SYSTEMD_SCOPE") == "user" || host.InInitrd(root) {
		return 0
	}
	return generate(log, root, args[0])
}

// patience is how long the other generators are waited for, whose units and drop-ins count as much as those of files.
const patience = 10 * time.Second

func generate(log *logger, root host.Root, dir string) int {
	host.AwaitGenerators(patience)
	r := generator.Run(root, host.CommandLine(root), dir)
	if r.Off != "" {
		log.info("off: " + r.Off)
	}
	for _, p := range r.Problems {
		log.error(p)
	}
	if len(r.Problems) > 0 {
		return 1
	}
	return 0
}
