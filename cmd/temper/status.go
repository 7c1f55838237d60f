package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"temper/analyzer/exposure"
	"temper/generator"
	"temper/harness/place"
	"temper/harness/runningunit"
	"temper/internal/explain"
	"temper/internal/hint"
	"temper/internal/inforce"
	"temper/internal/offline"
	"temper/internal/systemd"
	"temper/internal/verdict"
	"temper/report"
)

func (a *app) status() *cobra.Command {
	var all bool
	var file string
	c := &cobra.Command{
		Use:   "status [UNIT...]",
		Short: "What runs hardened now, what not and why, and the next command",
		Long: `status says of every service, or of the units given, whether its hardening is in force in the process
that runs now, as the process shows it in /proc: hardened; needs a restart, since it was started before what is decided
now; broken, since an attempt to prove it failed, and why; not hardened, and why; hardened when it starts; without a
profile. Where temper watch has recorded it, there is a column for what they were refused in production, and the last
line says whether it is on. Of those without a profile it counts what runs, and lists it with --all. Templates and what belongs to systemd
itself are left out. The exposure is that of temper analyze.

With --root it says what the next boot of that root would do. With --format prometheus it prints metrics for the textfile
collector of node_exporter, with --format systemd-report one line of JSON that systemd-report(1) of systemd 262 takes as
io.systemd.Files.temper from /var/lib/systemd/report.files/temper; --output writes them whole.

Exit status: 0 clean, 1 where a profile, unit, verdict or setting is bad, 2 wrong usage, 3 could not run.`,
		Example: "  sudo temper status\n  sudo temper status nginx --format json",
		RunE:    func(c *cobra.Command, units []string) error { return a.runStatus(c.Context(), all, file, units) },
	}
	c.Flags().StringVar(&file, "output", "", "with --format prometheus or systemd-report: write it whole to `FILE`")
	c.Flags().BoolVar(&all, "all", false, "list the services without a profile too")
	return c
}

func (a *app) runStatus(ctx context.Context, all bool, file string, units []string) error {
	write, isMetrics := metricsFormats[a.format]
	if file != "" && !isMetrics {
		return usageError{errors.New("--output is for --format prometheus and systemd-report")}
	}
	g, problems, err := a.generator()
	if err != nil {
		return err
	}
	if err := g.Store.Readable(); err != nil {
		return hint.With(err, "sudo temper status")
	}
	named, err := explain.FindUnits(g.Units, units, "temper status")
	if err != nil {
		return err
	}
	m, done := a.machine(ctx)
	defer done()
	services, more := []inforce.Service{}, []error(nil)
	if len(units) == 0 {
		services, more = inforce.List(ctx, g, m)
	}
	decisions, wrong := decide(g, named)
	more = append(more, wrong...)
	for _, d := range decisions {
		s, err := inforce.One(ctx, g, d, m)
		if err != nil {
			more = append(more, fmt.Errorf("%s: %w", d.Unit, err))
		}
		services = append(services, s)
	}
	bad := a.warnAll(slices.Concat(problems, more))
	if isMetrics {
		err = a.metrics(g, write, file, services)
	} else {
		err = a.printer().Status(services, all || len(units) > 0)
		if m != nil && a.format == "text" {
			a.printer().Watching(watching(ctx))
		}
	}
	if err != nil {
		return err
	}
	a.warnWithoutPlace()
	if bad {
		return exitError(exitFindings)
	}
	return nil
}

// metricsFormats write how services stand, for programs that collect it.
var metricsFormats = map[string]func(w io.Writer, made time.Time, list []report.Standing) error{
	"prometheus": report.WriteMetrics, "systemd-report": report.WriteStandings,
}

// metrics prints how services stand, or writes it to a file whole.
func (a *app) metrics(
	g *generator.Generator,
	write func(io.Writer, time.Time, []report.Standing) error,
	file string,
	services []inforce.Service,
) error {
	var list []report.Standing
	for _, s := range services {
		standing := report.Standing{
			Unit: s.Unit, Verdict: s.Verdict, State: string(s.State), Now: s.Now, Refused: s.Refused,
		}
		if info, err := g.Root.Stat(filepath.Join(verdict.Dirs[0], s.Unit+".json")); err == nil {
			standing.Proven = info.ModTime()
		}
		list = append(list, standing)
	}
	var text bytes.Buffer
	if err := write(&text, time.Now(), list); err != nil {
		return err
	}
	if file != "" {
		return renameio.WriteFile(file, text.Bytes(), 0o644)
	}
	_, err := a.out.Write(text.Bytes())
	return err
}

// machine is the running system, nil for another root or where systemd does not run it. Call done in the end.
func (a *app) machine(ctx context.Context) (m inforce.Machine, done func()) {
	if !a.host().IsHost() || !systemd.Booted() {
		return nil, func() {}
	}
	here, err := place.Host(ctx)
	if err == nil {
		if m, err = a.runningMachine(here); err == nil {
			return m, func() { here.Close() }
		}
		here.Close()
	}
	a.warn(fmt.Errorf("what runs cannot be read, only files: %w", err))
	return nil, func() {}
}

func (a *app) runningMachine(here *place.Place) (inforce.Machine, error) {
	options, err := offline.Complete(a.host(), exposure.Options{})
	return runningunit.Machine{Place: here, Options: options}, err
}

// warnWithoutPlace says so where this machine cannot prove anything in a container.
func (a *app) warnWithoutPlace() {
	if !a.host().IsHost() {
		return
	}
	if err := place.Available(); err != nil {
		a.warnWithHint(fmt.Errorf("%w; what was proven goes on applying", err))
	}
}
