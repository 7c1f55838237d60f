package harness

import (
	"os"
	"strconv"

	"temper/harness/blame"
	"temper/harness/place"
	"temper/harness/proc"
	"temper/harness/witness"
	"temper/internal/unit"
	"temper/internal/values"
	"temper/internal/verdict"
	"temper/profiles"
)

// notGranted lists what the service asked for without hardening and no service of a container gets.
func notGranted(service blame.Service, where *place.Place, baselines []witness.Record, plan []blame.Applied) []verdict.Evidence {
	held, err := strconv.ParseUint(proc.Machine.Process(where.Leader()).Status()["CapBnd"], 16, 64)
	if err != nil || where.Kind() == "host" {
		return nil
	}
	lacks := func(device string) bool {
		_, here := os.Lstat(device)
		_, there := where.Root().Lstat(device)
		return here == nil && there != nil
	}
	return service.NotGranted(blame.Container{Capabilities: values.CapSet(held), Lacks: lacks}, baselines, plan)
}

// notReloaded says that the service can be reloaded and was not: it is tried where the profile asks for it.
func notReloaded(u *unit.Unit, p *profiles.Profile) []verdict.Evidence {
	command, _ := u.Last("Service", "ExecReload")
	kind, _ := u.Last("Service", "Type")
	if p.Prove.Reload || command.Value == "" && kind.Value != "notify-reload" {
		return nil
	}
	return []verdict.Evidence{{Kind: "unseen", Text: "that it survives a reload was not tried: the profile does not say reload = true"}}
}
