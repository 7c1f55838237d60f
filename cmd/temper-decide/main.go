// Command temper-decide is the second half of temper's systemd.generator(7), which temper-generator hands over to
// wherever what lies ready does not answer: it reads the profiles, verdicts and units, decides, and writes the
// drop-ins.
//
// It reads and writes files, nothing else. Whatever goes wrong, the units that it does not reach stay as their vendor
// wrote them and the boot goes on. Exit status: 0 clean, 1 where something was reported and left out, 2 wrong usage.
package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"temper/generator"
	"temper/internal/host"
	"temper/internal/kmsg"
	"temper/internal/ready"
)

// deadline ends the generator long before systemd loses patience with all generators (90 s).
const deadline = 20 * time.Second

func main() {
	debug.SetGCPercent(400) // from 16 MiB on: most boots need less and end before memory has to be used again
	log := kmsg.Open("temper-generator")
	time.AfterFunc(deadline, func() {
		log.Error(fmt.Errorf("not done after %s: units without a drop-in stay as they are", deadline))
		os.Exit(1)
	})
	os.Exit(run(log, os.Args[1:]))
}

// run generates into the directories that systemd gives: normal, early, late; only the first is used. A panic is a
// report like any other.
func run(log *kmsg.Log, args []string) (code int) {
	defer func() {
		if p := recover(); p != nil {
			log.Error(fmt.Errorf("bug, please report: %v", p))
			code = 1
		}
	}()
	if len(args) != 1 && len(args) != 3 {
		log.Error(fmt.Errorf("got %d directories, want 3 or 1 as in systemd.generator(7)", len(args)))
		return 2
	}
	root := host.At(os.Getenv("TEMPER_ROOT"))
	r := generator.Run(root, ready.CommandLine(root.Dir()), args[0])
	if r.Off != "" {
		log.Info("off: " + r.Off)
	}
	for _, p := range r.Problems {
		log.Error(p)
	}
	if len(r.Problems) > 0 {
		return 1
	}
	return 0
}
