package harness

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"temper/generator"
	"temper/harness/blame"
	"temper/harness/place"
	"temper/harness/proc"
	"temper/harness/search"
	"temper/harness/trial"
	"temper/harness/witness"
	"temper/internal/unit"
	"temper/internal/values"
	"temper/internal/verdict"
	"temper/profiles"
)

// advisories lists damage to a proven service that no check noticed, and what the trials could not show.
func (r *run) advisories(found search.Outcome) []verdict.Evidence {
	service, last, baselines := blame.NewService(r.input, r.series), found.Result, r.series.refusedToBaselines()
	return slices.Concat(
		last.Warnings,
		service.Unnoticed(service.NewRefusals(last.Refused, baselines...), found.Applied),
		last.Unwitnessed(),
		notSeenToHold(found.Plan, last),
		notGranted(service, r.series.current.Place, baselines, found.Applied),
		notReloaded(r.input.Unit, r.input.Profile),
		notWatched(last, r.input.Profile),
		r.series.firstStartNotTried(),
		r.series.reachedLimits(),
	)
}

func notSeen(format string, args ...any) verdict.Evidence {
	return verdict.Evidence{Kind: "unseen", Text: fmt.Sprintf(format, args...)}
}

// notSeenToHold lists the applied directives that no trial showed to hold: they are only known not to break the
// service.
func notSeenToHold(plan generator.Plan, t trial.Result) []verdict.Evidence {
	var reasons []string
	names := map[string][]string{}
	for _, i := range plan.Items {
		if !i.Directive.Restricts() || slices.Contains(t.Holds, i.Directive.Name) {
			continue
		}
		why := cmp.Or(t.Partly[i.Directive.Name], i.Directive.Unseen, "no process of the service could be asked")
		if names[why] == nil {
			reasons = append(reasons, why)
		}
		names[why] = append(names[why], i.Directive.Name+"=")
	}
	var list []verdict.Evidence
	for _, why := range reasons {
		all := names[why]
		verb := "hold"
		if len(all) == 1 {
			verb = "holds"
		}
		list = append(list, notSeen("that %s %s was not seen: %s", strings.Join(all, ", "), verb, why))
	}
	return list
}

// bypassed lists the applied directives that are in force and do not bind the service.
func bypassed(t trial.Result) []verdict.LeftOut {
	var list []verdict.LeftOut
	for _, name := range slices.Sorted(maps.Keys(t.Bypassed)) {
		list = append(list, verdict.LeftOut{Directive: name, Reason: t.Bypassed[name]})
	}
	return list
}

// notGranted lists what the service asked for without hardening, and no service in a container is granted.
func notGranted(
	service blame.Service, where *place.Place, baselines []witness.Record, plan []blame.Applied,
) []verdict.Evidence {
	held, err := strconv.ParseUint(proc.Machine.Process(where.Leader()).Status()["CapBnd"], 16, 64)
	if err != nil || where.Kind() == "host" {
		return nil
	}
	lacks := func(device string) bool {
		_, here := os.Lstat(device)
		_, there := where.Root().Lstat(device)
		return here == nil && there != nil
	}
	container := blame.Container{Capabilities: values.CapSet(held), Lacks: lacks, Downgrades: where.Downgrades}
	return service.NotGranted(container, baselines, plan)
}

// notReloaded says that the service can be reloaded, and was not, since its profile does not ask for it.
func notReloaded(u *unit.Unit, p *profiles.Profile) []verdict.Evidence {
	command, _ := u.Last("Service", "ExecReload")
	kind, _ := u.Last("Service", "Type")
	if p.Prove.Reload || command.Value == "" && kind.Value != "notify-reload" {
		return nil
	}
	return []verdict.Evidence{notSeen("that it survives a reload was not tried: " +
		"the profile does not say reload = true")}
}

// notWatched says that the trials ended before the watchdog of the service would have killed it twice.
func notWatched(last trial.Result, p *profiles.Profile) []verdict.Evidence {
	if 2*last.Watchdog <= p.Prove.Timeout {
		return nil
	}
	return []verdict.Evidence{notSeen("that it keeps its watchdog of %s was not seen: "+
		"trials wait for twice that, but no longer than timeout = %s of the profile", last.Watchdog, p.Prove.Timeout)}
}

// firstStartNotTried says that the host could not try the first start after the next boot.
func (s *series) firstStartNotTried() []verdict.Evidence {
	if len(s.leftOnHost) == 0 {
		return nil
	}
	return []verdict.Evidence{notSeen("%s was made while it first ran, by it or another, "+
		"and was there in all other trials: whether it starts without that, as after a boot, was not tried",
		abbreviate(s.leftOnHost))}
}
