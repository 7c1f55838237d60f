package interpret

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"temper/internal/syscalls"
	"temper/internal/unit"
	"temper/internal/values"
)

// partial are the directives of whose values systemd can ignore parts, or the whole, although they have no fixed list
// of values. The function finds what is ignored. systemd does not warn about unknown capabilities.
var partial = map[string]func(r *reader, value string) []string{
	"Service.AmbientCapabilities":     (*reader).badCapabilities,
	"Service.CapabilityBoundingSet":   (*reader).badCapabilities,
	"Service.SystemCallFilter":        (*reader).badCalls,
	"Service.RestrictAddressFamilies": (*reader).badFamilies,
	"Service.RestrictNamespaces":      (*reader).badNamespaces,
	"Service.SystemCallArchitectures": func(r *reader, value string) []string {
		return badWords(value, func(w string) bool { return values.KnownArchitecture(w, r.Version) })
	},
	"Service.IPAddressAllow":      badAddresses,
	"Service.IPAddressDeny":       badAddresses,
	"Service.IPIngressFilterPath": (*reader).badPath,
	"Service.IPEgressFilterPath":  (*reader).badPath,
	"Service.DeviceAllow": func(r *reader, value string) []string {
		return whole(value, value == "" || values.ParseDeviceAllow([]string{value}, r.Version, r.expand) != nil)
	},
	"Service.UMask": func(_ *reader, value string) []string {
		_, err := strconv.ParseUint(value, 8, 12)
		return whole(value, err == nil, "which is no octal mask such as 0077,")
	},
	"Service.Delegate": func(_ *reader, value string) []string {
		_, boolean := unit.Bool(value)
		return badWords(value, func(w string) bool { return boolean || slices.Contains(controllers, w) })
	},
	"Service.Type": oneOf(serviceTypes),
	"Service.Restart": func(_ *reader, value string) []string {
		return whole(value, slices.Contains(restarts, value), "want one of", strings.Join(restarts, ", ")+",")
	},
	"Service.RestartForceExitStatus": func(_ *reader, value string) []string { return badWords(value, isStatus) },
	"Service.BusName": func(r *reader, value string) []string {
		text, err := r.expand(value)
		return whole(value, err == nil && isBusName(text), "which is no D-Bus name,")
	},
	"Service.WorkingDirectory": func(r *reader, value string) []string {
		dir, _ := strings.CutPrefix(value, "-")
		if dir == "~" {
			return nil
		}
		return r.badPath(dir)
	},
	"Service.SELinuxContext":          (*reader).badSpecifiers,
	"Service.AppArmorProfile":         (*reader).badSpecifiers,
	"Service.SmackProcessLabel":       (*reader).badSpecifiers,
	"Service.LoadCredential":          badCredential("LoadCredential"),
	"Service.LoadCredentialEncrypted": badCredential("LoadCredentialEncrypted"),
	"Service.SetCredential":           badCredential("SetCredential"),
	"Service.SetCredentialEncrypted":  badCredential("SetCredentialEncrypted"),
	"Service.MountImages": func(_ *reader, value string) []string {
		return whole(value, value == "" || hasTwoParts(value), "which lacks the :DESTINATION,")
	},
	"Unit.SuccessAction": oneOf(actions),
}

// controllers are the names that Delegate= accepts: the controllers of cgroups(7), and those that systemd implements
// with BPF.
var controllers = []string{
	"cpu", "cpuacct", "cpuset", "io", "blkio", "memory", "devices", "pids", "bpf-firewall", "bpf-devices",
	"bpf-foreign",
	"bpf-socket-bind", "bpf-restrict-network-interfaces", "bpf-bind-network-interface",
}

// oneOf is for a value that is a key of a table of names by the version that knows each first.
func oneOf(since map[string]int) func(r *reader, value string) []string {
	return func(r *reader, value string) []string {
		first, ok := since[value]
		names := strings.Join(slices.Sorted(maps.Keys(since)), ", ")
		return whole(value, ok && r.Version >= first, "want one of", names+",")
	}
}

// whole is for a value that is accepted or ignored as a whole; why says what is wrong with it.
func whole(value string, good bool, why ...string) []string {
	if good {
		return nil
	}
	return append([]string{strconv.Quote(value)}, why...)
}

// badWords returns the words of a list that are not good.
func badWords(value string, good func(string) bool) []string {
	list, err := unit.Words(value)
	bad := slices.DeleteFunc(list, good)
	if err != nil {
		bad = append(bad, err.Error())
	}
	return bad
}

// badPlain is badWords for the directives in which quotes mean nothing.
func badPlain(value string, good func(string) bool) []string {
	list, err := unit.SplitWords(value, 0)
	bad := slices.DeleteFunc(list, good)
	if err != nil {
		bad = append(bad, "a backslash at the end")
	}
	return bad
}

func (r *reader) badPath(value string) []string {
	_, err := r.absolute(value)
	return whole(value, value == "" || err == nil, "which is no absolute path,")
}

func (r *reader) badSpecifiers(value string) []string {
	_, err := r.expand(value)
	return whole(value, err == nil)
}

func badAddresses(_ *reader, value string) []string {
	return badPlain(value, func(w string) bool { _, ok := values.ParsePrefixes(w); return ok })
}

func (r *reader) badNamespaces(value string) []string {
	if _, ok := unit.Bool(value); ok {
		return nil
	}
	list := strings.TrimPrefix(value, "~")
	return badPlain(list, func(w string) bool { return values.KnownNamespace(w, r.Version) })
}

func (r *reader) badFamilies(value string) []string {
	if value == values.NoFamily && r.Version >= values.SinceNoFamily {
		return nil
	}
	list := strings.TrimPrefix(value, "~")
	return badWords(list, func(w string) bool { return values.KnownFamily(w, r.Version) })
}

func (r *reader) badCapabilities(value string) []string {
	list := strings.TrimPrefix(value, "~")
	return badWords(list, func(w string) bool { _, ok := values.ParseCapability(w); return ok })
}

// badCalls checks names, groups and the errors after them. Since 249 only a denied call can have an error.
func (r *reader) badCalls(value string) []string {
	list, inverted := strings.CutPrefix(value, "~")
	return badPlain(list, func(w string) bool {
		name, number, hasError := strings.Cut(w, ":")
		if _, ok := values.ParseErrno(number); hasError &&
			(!ok && number != "kill" || !inverted && r.Version >= syscalls.SinceListedError) {
			return false
		}
		return r.Calls.Known(name) || len(r.Calls.Members(name)) > 0
	})
}

func badCredential(directive string) func(r *reader, value string) []string {
	how := credentialLists[directive]
	return func(r *reader, value string) []string {
		name, data, _ := strings.Cut(value, ":")
		name, err := r.expand(name)
		return whole(
			value,
			value == "" || err == nil && isCredentialName(name) && how.takes(r, data),
			"which is no NAME:SOURCE,",
		)
	}
}
