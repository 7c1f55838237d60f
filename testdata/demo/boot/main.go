// Command boot boots a root in which temper is installed and looks at each unit named: the generator wrote at boot what was
// proven, with as many demotions as it must have, the running process is confined as /proc shows it, and the service answers.
// It exits with 1 if any is not so.
//
//	boot ROOT UNIT[:DEMOTIONS]...
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/signal"
	"path"
	"strings"
	"text/tabwriter"
	"time"

	"temper/generator"
	"temper/harness/check"
	"temper/harness/place"
	"temper/harness/runningunit"
	"temper/internal/host"
	"temper/internal/verdict"
	"temper/profiles"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	ok, err := boot(ctx, os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "boot: %v\n", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func boot(ctx context.Context, root string, units []string) (bool, error) {
	begin := time.Now()
	where, err := place.Container(ctx, place.Options{Image: root, Unit: "multi-user.target"})
	if err != nil {
		return false, err
	}
	defer where.Close()
	fmt.Printf("booted in %.1f s (systemd %d)\n", time.Since(begin).Seconds(), where.SystemdVersion())
	set, problems := profiles.Load(where.Root(), nil)
	if len(problems) > 0 {
		return false, problems[0]
	}
	all := true
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "UNIT\tDROP-IN\tCONFINED\tANSWERS")
	for _, arg := range units {
		name, demotions, _ := strings.Cut(arg, ":")
		s, err := runningunit.Unit(ctx, where, set, name)
		if err != nil {
			return false, err
		}
		v, err := verdict.Store{Root: host.At(root)}.Get(name)
		if err != nil {
			return false, err
		}
		written, _ := where.Root().ReadFile(path.Join("/run/systemd/generator", name+".d", generator.Dropin)) // missing is not the same
		same := strings.HasPrefix(string(written), v.Dropin) && v.Dropin != ""                                // the guard's line may follow
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", name, word(same, "written at boot, as proven"), s.Confinement(), answers(s.Checks))
		all = all && same && s.OK()
		if want := cmp.Or(demotions, "0"); fmt.Sprint(len(v.Demotions)) != want {
			fmt.Fprintf(w, "%s\tNOT as expected: %d demotions, want %s\n", name, len(v.Demotions), want)
			all = false
		}
	}
	return all, w.Flush()
}

func word(ok bool, text string) string {
	if ok {
		return text
	}
	return "NOT " + text
}

// answers says how many checks the service passes. Some need what only the setup of a trial makes, and do not run here.
func answers(checks []check.Outcome) string {
	var bad []string
	passed := 0
	for _, o := range checks {
		switch {
		case o.OK:
			passed++
		case o.Required && !o.NotRun:
			bad = append(bad, o.Name+": "+o.Detail)
		}
	}
	switch {
	case len(bad) > 0:
		return "NO: " + strings.Join(bad, "; ")
	case passed == 0:
		return "not asked: its checks need the setup of a trial"
	}
	return fmt.Sprintf("yes, %d of %d checks", passed, len(checks))
}
