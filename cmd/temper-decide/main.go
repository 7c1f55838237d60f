// Command temper-decide is the second half of temper's systemd.generator(7). temper-generator runs it if the boot
// record of the last boot does not apply: it reads the profiles, verdicts and units, decides, and writes the drop-ins.
//
// It only reads and writes files, and keeps no capability but those for that. Whatever goes wrong, the boot goes on,
// and the units that it did not reach stay as their vendor wrote them. Exit status: 0 clean, 1 if something was
// reported and left out, 2 wrong usage.
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

// deadline ends the generator long before systemd kills all generators (after 90 s).
const deadline = 20 * time.Second

func main() {
	debug.SetGCPercent(400) // the first collection is at 16 MiB: most boots need less
	log := kmsg.Open("temper-generator")
	if err := dropPrivilege(); err != nil {
		log.Error(fmt.Errorf("give up capabilities: %w; going on with them", err))
	}
	time.AfterFunc(deadline, func() {
		log.Error(fmt.Errorf("not done after %s: units without a drop-in stay as they are", deadline))
		os.Exit(1)
	})
	os.Exit(run(log, os.Args[1:]))
}

// run writes drop-ins into the first of the directories that systemd passes: normal, early, late. A panic is reported
// like an error.
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
	cmdline, err := ready.CommandLine(root.Dir())
	if err != nil { // it may have an off switch
		log.Error(fmt.Errorf("look for the off switch: %w: units stay as they are", err))
		return 1
	}
	r := generator.Run(root, cmdline, args[0])
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
