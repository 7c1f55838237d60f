package nspawn

import "slices"

// withheld are capabilities that count for some calls, or for all if none is named, only where the kernel asks for
// them in the user namespace of the machine. The root of a container with users of its own is refused those calls
// although it has the capability, and a trusted root is not.
var withheld = map[string][]string{
	"CAP_IPC_LOCK":        nil,
	"CAP_LINUX_IMMUTABLE": nil,
	"CAP_MKNOD":           nil,
	"CAP_SYS_ADMIN": {
		"fsconfig", "fsetxattr", "fsmount", "fsopen", "lsetxattr", "mount", "quotactl", "quotactl_fd", "setxattr",
		"setxattrat",
	},
	"CAP_SYS_NICE":     nil,
	"CAP_SYS_RESOURCE": nil,
}

// downgraded are calls that such a root is refused too, and that no program needs: it asks for less then, as for a
// buffer of a socket that is as large as the kernel likes.
var downgraded = map[string][]string{"CAP_NET_ADMIN": {"setsockopt"}}

// Downgrades reports whether a container with users of its own refuses its root a call that a capability would allow,
// and that programs do without.
func Downgrades(capability, call string) bool { return slices.Contains(downgraded[capability], call) }

// Withholds reports whether a container with users of its own refuses its root a call that a capability would allow.
func Withholds(capability, call string) bool {
	calls, listed := withheld[capability]
	return listed && (calls == nil || slices.Contains(calls, call))
}
