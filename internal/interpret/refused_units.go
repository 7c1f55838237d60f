package interpret

import (
	"slices"

	"temper/analyzer/exposure"
	"temper/internal/unit"
)

// refusal is one reason for which systemd does not load a service, found after all its files are read.
type refusal struct {
	since, until int    // first and last systemd version with the rule; 0 = no bound
	at           string // the directive whose line the error names; "" is the whole file
	why          string
	when         func(*reader, *exposure.Service) bool
}

// refusals are the rules of systemd's unit_verify_contexts() and service_verify(), in the order in which systemd checks
// them.
var refusals = []refusal{
	{ // 252 loads such a unit; the versions between were not tried
		since: 257, at: "DynamicUser", why: "DynamicUser=yes, which a unit of a user may not have",
		when: func(r *reader, s *exposure.Service) bool { return r.user && s.On("DynamicUser") },
	},
	{
		since: 255, at: "WorkingDirectory", why: "WorkingDirectory=~ is not allowed with DynamicUser=yes, want a path",
		when: func(r *reader, s *exposure.Service) bool { return s.On("DynamicUser") && r.workingDirectory() == "~" },
	},
	{
		since: 257, at: "WorkingDirectory",
		why:  "WorkingDirectory= may not be below /proc, /sys or /dev in a service with its own mounts",
		when: func(r *reader, s *exposure.Service) bool { return isAPI(r.workingDirectory()) && r.ownMounts(s) },
	},
	{
		since: 260, at: "PrivateUsers", why: "PrivateUsers=managed does not go with User=, Group=, DynamicUser= or " +
			"PAMName=",
		when: func(r *reader, s *exposure.Service) bool {
			return s.Values["PrivateUsers"] == "managed" &&
				(s.User != "" || s.On("DynamicUser") || r.lastText("Group") != "" || r.lastText("PAMName") != "")
		},
	},
	{
		since: 259, at: "UserNamespacePath", why: "UserNamespacePath= does not go with PrivateUsers=",
		when: func(r *reader, s *exposure.Service) bool {
			return s.On("PrivateUsers") && r.lastPath("UserNamespacePath") != ""
		},
	},
	{
		since: 258, at: "PAMName", why: "PAMName= does not go with PrivatePIDs=yes",
		when: func(r *reader, s *exposure.Service) bool { return s.On("PrivatePIDs") && r.lastText("PAMName") != "" },
	},
	{
		since: 255, at: "KillMode", why: "KillMode= has to be control-group or mixed with PAMName=",
		when: (*reader).killsTooFew,
	},
	{
		why: "no ExecStart=, ExecStop= or SuccessAction=: the service does nothing",
		when: func(r *reader, _ *exposure.Service) bool {
			return r.commands["ExecStart"] == 0 && r.commands["ExecStop"] == 0 && !r.actsOnSuccess()
		},
	},
	{
		at: "Type", why: "no ExecStart=, which only Type=oneshot may lack",
		when: func(r *reader, s *exposure.Service) bool { return s.Type != "oneshot" && r.commands["ExecStart"] == 0 },
	},
	{
		why: "no ExecStart= and no SuccessAction=, which needs RemainAfterExit=yes",
		when: func(r *reader, _ *exposure.Service) bool {
			return !r.lastBool("RemainAfterExit", false) && r.commands["ExecStart"] == 0 && !r.actsOnSuccess()
		},
	},
	{
		at: "ExecStart", why: "more than one ExecStart=, which only Type=oneshot may have",
		when: func(r *reader, s *exposure.Service) bool { return s.Type != "oneshot" && r.commands["ExecStart"] > 1 },
	},
	{
		at: "Restart", why: "Restart= is always or on-success, which Type=oneshot may not have",
		when: func(r *reader, s *exposure.Service) bool {
			restart := r.lastOf("Restart", "no", restarts)
			return s.Type == "oneshot" && (restart == "always" || restart == "on-success")
		},
	},
	{
		until: 253, at: "RestartForceExitStatus",
		why:  "RestartForceExitStatus= is set, which Type=oneshot may not have",
		when: func(r *reader, s *exposure.Service) bool { return s.Type == "oneshot" && r.forcesRestart() },
	},
	{
		since: 250, at: "ExitType", why: "ExitType=cgroup, which Type=oneshot may not have",
		when: func(r *reader, s *exposure.Service) bool {
			return s.Type == "oneshot" && r.lastOf("ExitType", "main", []string{"main", "cgroup"}) == "cgroup"
		},
	},
	{
		at: "Type", why: "Type=dbus without a BusName=",
		when: func(r *reader, s *exposure.Service) bool { return s.Type == "dbus" && r.busName() == "" },
	},
	{
		until: 254, at: "KillMode", why: "KillMode= has to be control-group or mixed with PAMName=",
		when: (*reader).killsTooFew,
	},
	{
		until: exposure.SinceOffline - 1, at: "OnFailureJobMode",
		why:  "OnFailureJobMode=isolate with more than one OnFailure= unit",
		when: func(r *reader, _ *exposure.Service) bool { return r.isolates() },
	},
	{
		since: 257, at: "PrivatePIDs", why: "PrivatePIDs=yes, which Type=forking may not have",
		when: func(_ *reader, s *exposure.Service) bool { return s.Type == "forking" && s.On("PrivatePIDs") },
	},
}

// verify returns an error if systemd refuses the unit as a whole.
func (r *reader) verify(s *exposure.Service) error {
	for _, f := range refusals {
		if r.Version >= f.since && (f.until == 0 || r.Version <= f.until) && f.when(r, s) {
			return refuse(r.position(f.at), f.why)
		}
	}
	return nil
}

// position is where a directive is last assigned, or the fragment.
func (r *reader) position(name string) unit.Position {
	for _, a := range slices.Backward(r.read) {
		if a.Name == name {
			return a.Pos
		}
	}
	return unit.Position{Path: r.unit.Fragment}
}
