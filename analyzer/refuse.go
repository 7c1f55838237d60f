package analyzer

import (
	"fmt"
	"slices"
	"strings"

	"temper/internal/unit"
)

// refusal is one reason for which systemd does not load a service, found when all its files are read.
type refusal struct {
	since, until int    // first and last systemd version with the rule; 0 = no bound
	at           string // the directive whose line to show; "" is the whole file
	why          string
	when         func(*reader, *Settings) bool
}

// refusals are systemd's, in the order in which it looks: unit_verify_contexts() and service_verify().
var refusals = []refusal{
	{
		since: 255, at: "WorkingDirectory", why: "WorkingDirectory=~ is not allowed with DynamicUser=yes, want a path",
		when: func(r *reader, s *Settings) bool { return s.on("DynamicUser") && r.workingDirectory() == "~" },
	},
	{
		since: 257, at: "WorkingDirectory", why: "WorkingDirectory= may not be below /proc, /sys or /dev in a service with its own mounts",
		when: func(r *reader, s *Settings) bool { return isAPI(r.workingDirectory()) && r.ownMounts(s) },
	},
	{
		since: 260, at: "PrivateUsers", why: "PrivateUsers=managed does not go with User=, Group=, DynamicUser= or PAMName=",
		when: func(r *reader, s *Settings) bool {
			return s.Values["PrivateUsers"] == "managed" &&
				(s.User != "" || s.on("DynamicUser") || r.lastText("Group") != "" || r.lastText("PAMName") != "")
		},
	},
	{
		since: 259, at: "UserNamespacePath", why: "UserNamespacePath= does not go with PrivateUsers=",
		when: func(r *reader, s *Settings) bool { return s.on("PrivateUsers") && r.lastPath("UserNamespacePath") != "" },
	},
	{
		since: 258, at: "PAMName", why: "PAMName= does not go with PrivatePIDs=yes",
		when: func(r *reader, s *Settings) bool { return s.on("PrivatePIDs") && r.lastText("PAMName") != "" },
	},
	{
		since: 255, at: "KillMode", why: "KillMode= has to be control-group or mixed with PAMName=",
		when: (*reader).killsTooFew,
	},
	{
		why: "no ExecStart=, ExecStop= or SuccessAction=: the service does nothing",
		when: func(r *reader, _ *Settings) bool {
			return r.commands["ExecStart"] == 0 && r.commands["ExecStop"] == 0 && !r.actsOnSuccess()
		},
	},
	{
		at: "Type", why: "no ExecStart=, which only Type=oneshot may lack",
		when: func(r *reader, s *Settings) bool { return s.Type != "oneshot" && r.commands["ExecStart"] == 0 },
	},
	{
		why: "no ExecStart= and no SuccessAction=, which needs RemainAfterExit=yes",
		when: func(r *reader, _ *Settings) bool {
			return !r.lastBool("RemainAfterExit", false) && r.commands["ExecStart"] == 0 && !r.actsOnSuccess()
		},
	},
	{
		at: "ExecStart", why: "more than one ExecStart=, which only Type=oneshot may have",
		when: func(r *reader, s *Settings) bool { return s.Type != "oneshot" && r.commands["ExecStart"] > 1 },
	},
	{
		at: "Restart", why: "Restart= is always or on-success, which Type=oneshot may not have",
		when: func(r *reader, s *Settings) bool {
			restart := r.lastOf("Restart", "no", restarts)
			return s.Type == "oneshot" && (restart == "always" || restart == "on-success")
		},
	},
	{
		until: 253, at: "RestartForceExitStatus", why: "RestartForceExitStatus= is set, which Type=oneshot may not have",
		when: func(r *reader, s *Settings) bool { return s.Type == "oneshot" && r.lastText("RestartForceExitStatus") != "" },
	},
	{
		since: 250, at: "ExitType", why: "ExitType=cgroup, which Type=oneshot may not have",
		when: func(r *reader, s *Settings) bool {
			return s.Type == "oneshot" && r.lastOf("ExitType", "main", []string{"main", "cgroup"}) == "cgroup"
		},
	},
	{
		at: "Type", why: "Type=dbus without a BusName=",
		when: func(r *reader, s *Settings) bool { return s.Type == "dbus" && r.busName() == "" },
	},
	{
		until: 254, at: "KillMode", why: "KillMode= has to be control-group or mixed with PAMName=",
		when: (*reader).killsTooFew,
	},
	{
		since: 257, at: "PrivatePIDs", why: "PrivatePIDs=yes, which Type=forking may not have",
		when: func(_ *reader, s *Settings) bool { return s.Type == "forking" && s.on("PrivatePIDs") },
	},
}

// verify returns systemd's verdict if it refuses the unit as a whole.
func (r *reader) verify(s *Settings) error {
	for _, f := range refusals {
		if r.version >= f.since && (f.until == 0 || r.version <= f.until) && f.when(r, s) {
			return refuse(r.position(f.at), f.why)
		}
	}
	return nil
}

// position is the last line of a directive, or the fragment.
func (r *reader) position(name string) unit.Position {
	if list := r.assigned[name]; len(list) > 0 {
		return list[len(list)-1].Pos
	}
	return unit.Position{Path: r.unit.Fragment}
}

var restarts = []string{"no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always"}

// serviceTypes are the values of Type=, with the first version that has them.
var serviceTypes = map[string]int{
	"simple": 0, "exec": 240, "forking": 0, "oneshot": 0, "dbus": 0, "notify": 0, "notify-reload": 253, "idle": 0,
}

// serviceType is Type=, or what systemd makes of a service that does not say.
func (r *reader) serviceType() string {
	kind := ""
	for _, v := range r.values("Type") {
		if since, ok := serviceTypes[v]; ok && r.version >= since {
			kind = v
		}
	}
	switch {
	case kind != "":
		return kind
	case r.busName() != "":
		return "dbus"
	case r.commands["ExecStart"] > 0:
		return "simple"
	}
	return "oneshot"
}

// lastOf is the last value that is one of the list.
func (r *reader) lastOf(name, def string, list []string) string {
	for _, v := range r.values(name) {
		if slices.Contains(list, v) {
			def = v
		}
	}
	return def
}

func (r *reader) killsTooFew(*Settings) bool {
	mode := r.lastOf("KillMode", "control-group", []string{"control-group", "process", "mixed", "none"})
	return r.lastText("PAMName") != "" && mode != "control-group" && mode != "mixed"
}

// actions are the values of SuccessAction= but none.
var actions = []string{
	"reboot", "reboot-force", "reboot-immediate", "poweroff", "poweroff-force", "poweroff-immediate", "exit", "exit-force",
	"soft-reboot", "soft-reboot-force", "kexec", "kexec-force", "halt", "halt-force", "halt-immediate",
}

func (r *reader) actsOnSuccess() bool {
	return r.lastOf("Unit.SuccessAction", "none", append([]string{"none"}, actions...)) != "none"
}

// busName is the last BusName= that is a valid one.
func (r *reader) busName() string {
	name := ""
	for _, v := range r.values("BusName") {
		if text, err := r.expand(v); err == nil && (isBusName(text)) {
			name = text
		}
	}
	return name
}

// isBusName reports whether a name is a well-known one of D-Bus.
func isBusName(name string) bool {
	parts := strings.Split(name, ".")
	for _, p := range parts {
		if p == "" || p[0] >= '0' && p[0] <= '9' || strings.Trim(p, busLetters) != "" {
			return false
		}
	}
	return len(parts) > 1 && len(name) <= 255
}

const busLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

// workingDirectory is a path, "~", or "".
func (r *reader) workingDirectory() string {
	dir := ""
	for _, v := range r.values("WorkingDirectory") {
		v, _ := strings.CutPrefix(v, "-")
		if p, err := r.absolute(v); err == nil {
			v = p
		} else if v != "" && v != "~" {
			continue
		}
		dir = v
	}
	return dir
}

// isAPI reports whether a path is in a file system of the kernel's.
func isAPI(p string) bool {
	return slices.ContainsFunc([]string{"/proc", "/sys", "/dev"}, func(api string) bool {
		return p == api || strings.HasPrefix(p, api+"/")
	})
}

// mountLists are the list directives that give a service its own mounts.
var mountLists = []string{
	"ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "ReadWriteDirectories", "ReadOnlyDirectories",
	"InaccessibleDirectories", "ExecPaths", "NoExecPaths", "BindPaths", "BindReadOnlyPaths", "TemporaryFileSystem",
	"MountImages", "ExtensionImages", "ExtensionDirectories",
}

// mountValues are the values of other directives that do not.
var mountValues = map[string][]string{
	"PrivateTmp": {"no", "yes"}, "PrivateDevices": {"no"}, "PrivateMounts": {"no", "unset"}, "ProtectSystem": {"no"},
	"ProtectHome": {"no"}, "ProtectKernelTunables": {"no"}, "ProtectKernelModules": {"no"}, "ProtectKernelLogs": {"no"},
	"ProtectControlGroups": {"no"}, "ProtectProc": {"default"}, "ProcSubset": {"all"}, "PrivateIPC": {"no"},
	"PrivatePIDs": {"no"},
}

// ownMounts reports whether a service gets its own mount namespace, as exec_needs_mount_namespace() does.
func (r *reader) ownMounts(s *Settings) bool {
	if s.RootImage != "" || s.RootDirectory != "" || s.on("PrivateNetwork") && s.Values["PrivateMounts"] == "unset" {
		return true
	}
	for _, name := range mountLists {
		if values := r.values(name); len(values) > 0 && values[len(values)-1] != "" {
			return true
		}
	}
	for name, values := range mountValues {
		if v, ok := s.Values[name]; ok && !slices.Contains(values, v) {
			return true
		}
	}
	return false
}

// hasTwoParts reports whether a value is A:B, both not empty.
func hasTwoParts(v string) bool {
	a, b, _ := strings.Cut(v, ":")
	return a != "" && b != ""
}

// fatal are the directives of which a wrong value makes systemd refuse the unit.
var fatal = map[string]func(*reader, unit.Assignment) error{
	"User":                (*reader).checkUser,
	"Group":               (*reader).checkUser,
	"SupplementaryGroups": (*reader).checkGroups,
	"DynamicUser":         (*reader).checkDynamicUser,
	"WorkingDirectory":    (*reader).checkWorkingDirectory,
	"RootDirectory":       (*reader).checkPath,
	"RootImage":           (*reader).checkPath,
	"RootVerity":          (*reader).checkPath,
	"SELinuxContext":      (*reader).checkLabel,
	"AppArmorProfile":     (*reader).checkLabel,
	"SmackProcessLabel":   (*reader).checkLabel,
	"ExecCondition":       (*reader).checkCommands,
	"ExecStartPre":        (*reader).checkCommands,
	"ExecStart":           (*reader).checkCommands,
	"ExecStartPost":       (*reader).checkCommands,
	"ExecReload":          (*reader).checkCommands,
	"ExecStop":            (*reader).checkCommands,
	"ExecStopPost":        (*reader).checkCommands,
}

func (r *reader) checkUser(a unit.Assignment) error {
	if a.Value == "" {
		return nil
	}
	name, err := r.expand(a.Value)
	if err != nil {
		return fmt.Errorf("%s=%s: %w", a.Name, a.Value, err)
	}
	if !validUser(name) {
		return fmt.Errorf("%s=%s is no valid name or number", a.Name, name)
	}
	return nil
}

func (r *reader) checkGroups(a unit.Assignment) error {
	for _, word := range strings.Fields(a.Value) {
		if err := r.checkUser(unit.Assignment{Name: a.Name, Value: word}); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) checkDynamicUser(a unit.Assignment) error {
	if _, ok := unit.Bool(a.Value); !ok {
		return fmt.Errorf("%s=%s is no boolean, want yes or no", a.Name, a.Value)
	}
	return nil
}

func (r *reader) checkWorkingDirectory(a unit.Assignment) error {
	if a.Value == "" || a.Value == "~" || strings.HasPrefix(a.Value, "-") {
		return nil
	}
	return r.checkPath(a)
}

func (r *reader) checkPath(a unit.Assignment) error {
	if a.Value == "" {
		return nil
	}
	if _, err := r.absolute(a.Value); err != nil {
		return fmt.Errorf("%s=%s: %w", a.Name, a.Value, err)
	}
	return nil
}

// checkLabel checks the name of a security label; after "-" nothing is fatal.
func (r *reader) checkLabel(a unit.Assignment) error {
	if strings.HasPrefix(a.Value, "-") {
		return nil
	}
	if _, err := r.expand(a.Value); err != nil {
		return fmt.Errorf("%s=%s: %w", a.Name, a.Value, err)
	}
	return nil
}
