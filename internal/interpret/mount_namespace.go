package interpret

import (
	"slices"
	"strings"

	"temper/analyzer/exposure"
	"temper/internal/host"
	"temper/internal/unit"
)

// isAPI reports whether a path is in one of the kernel's API file systems.
func isAPI(p string) bool {
	return slices.ContainsFunc([]string{"/proc", "/sys", "/dev"}, func(api string) bool { return host.Below(api, p) })
}

// mountLists are the list directives that give a service its own mounts.
var mountLists = []string{
	"ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "ReadWriteDirectories", "ReadOnlyDirectories",
	"InaccessibleDirectories", "ExecPaths", "NoExecPaths", "BindPaths", "BindReadOnlyPaths", "TemporaryFileSystem",
	"MountImages", "ExtensionImages", "ExtensionDirectories", "IPCNamespacePath", "LogNamespace",
}

// isSet reports whether the last assignment of a directive is not an empty one.
func (r *reader) isSet(name string) bool {
	values := r.values(name)
	return len(values) > 0 && values[len(values)-1] != ""
}

// sharingValues are the values of directives that do not give a service its own mounts, with the last version in which
// this is so; 0 means every version.
var sharingValues = map[string]map[string]int{
	"PrivateTmp":            {"no": 0, "yes": 257},
	"PrivateDevices":        {"no": 0},
	"PrivateMounts":         {"no": 0, "unset": 0},
	"PrivateIPC":            {"no": 0},
	"PrivatePIDs":           {"no": 0},
	"ProtectSystem":         {"no": 0},
	"ProtectHome":           {"no": 0},
	"ProtectKernelTunables": {"no": 0},
	"ProtectKernelModules":  {"no": 0},
	"ProtectKernelLogs":     {"no": 0},
	"ProtectControlGroups":  {"no": 0},
	"ProtectProc":           {"default": 0},
	"ProcSubset":            {"all": 0},
}

// ownMounts reports whether a service gets its own mount namespace, as systemd's exec_needs_mount_namespace() does.
func (r *reader) ownMounts(s *exposure.Service) bool {
	return r.valueMounts(s) || slices.ContainsFunc(mountLists, r.isSet) || s.RootImage != "" || r.networkMounts(s) ||
		slices.Contains(
			[]string{"slave", "private"},
			r.lastOf("MountFlags", "", []string{"", "shared", "slave", "private"}),
		) ||
		r.Version >= 258 && r.lastBool("PrivateBPF", false) || r.bindsLog(s) || r.ownDirectories(s)
}

// valueMounts reports whether a directive with a fixed list of values gives the service its own mounts.
func (r *reader) valueMounts(s *exposure.Service) bool {
	for name, values := range sharingValues {
		v, ok := s.Values[name]
		if until, shares := values[v]; ok && !(shares && (until == 0 || r.Version <= until)) {
			return true
		}
	}
	return false
}

// networkMounts reports whether systemd mounts /sys again for another network namespace, which PrivateMounts=no
// prevents.
func (r *reader) networkMounts(s *exposure.Service) bool {
	return s.Values["PrivateMounts"] == "unset" && (s.On("PrivateNetwork") || r.lastPath("NetworkNamespacePath") != "")
}

// bindsLog reports whether systemd mounts the sockets of the journal into the service.
func (r *reader) bindsLog(s *exposure.Service) bool {
	root := s.RootDirectory != "" || s.RootImage != ""
	return r.lastBool("BindLogSockets", r.lastBool("MountAPIVFS", root) || root && s.On("PrivateDevices"))
}

// directories are the directives that list a service's own directories.
var directories = []string{
	"RuntimeDirectory", "StateDirectory", "CacheDirectory", "LogsDirectory", "ConfigurationDirectory",
}

// ownDirectories reports whether systemd has to mount one of the service's own directories.
func (r *reader) ownDirectories(s *exposure.Service) bool {
	for _, name := range directories {
		var dirs []string
		for _, v := range r.values(name) {
			if v == "" {
				dirs = nil
			}
			words, _ := unit.Words(v)
			dirs = append(dirs, words...)
		}
		moved := name == "StateDirectory" || name == "CacheDirectory" || name == "LogsDirectory"
		switch {
		case len(dirs) == 0:
		case s.RootDirectory != "" || s.On("DynamicUser") && moved:
			return true
		case slices.ContainsFunc(dirs, func(d string) bool { return strings.HasSuffix(d, ":ro") }):
			return true
		}
	}
	return false
}
