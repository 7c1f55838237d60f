// Package refusal names the ways in which a sandbox refuses something to a service. The table of
// temper/internal/directive says which directive causes which; temper/harness/witness observes them.
package refusal

import "slices"

// Kind is a kind of refusal. It says what sort of thing is refused, not who refuses it. Each refusal also has a
// subject: what exactly is refused.
type Kind string

// The kinds, with what the subject is.
const (
	PathReadOnly Kind = "path-readonly" // a path that cannot be written
	PathHidden   Kind = "path-hidden"   // a path that is not there or cannot be entered
	PathAbsent   Kind = "path-absent"   // a path that cannot be written: its directory is not there
	PathNoExec   Kind = "path-noexec"   // a path that cannot be executed
	FileSystem   Kind = "file-system"   // a path on a kind of file system that may not be opened
	MountHidden  Kind = "mount-hidden"  // where something was mounted that nobody else sees
	FileMode     Kind = "file-mode"     // a file that others can no longer use
	MountPoint   Kind = "mount-point"   // a path that has become a mount point, or lies across one
	Device       Kind = "device"        // path of a device node
	Family       Kind = "family"        // "AF_INET6"
	Capability   Kind = "capability"    // "CAP_CHOWN"
	Syscall      Kind = "syscall"       // "mount"
	Architecture Kind = "architecture"  // of a foreign call: "x86", "x32", "arm"
	// "user", "mnt", "net", "pid", "ipc", "uts", "cgroup", "time"; "any" if unknown
	Namespace     Kind = "namespace"
	Realtime      Kind = "realtime"       // "SCHED_FIFO", "SCHED_RR", "SCHED_DEADLINE"
	WriteExecute  Kind = "write-execute"  // the call that asked for executable memory
	SetuidBit     Kind = "setuid-bit"     // path whose mode was not set
	Personality   Kind = "personality"    // the number in hexadecimal
	Network       Kind = "network"        // address that cannot be reached: "1.2.3.4:80", "@abstract"
	SocketBind    Kind = "socket-bind"    // address that cannot be taken: "0.0.0.0:80"
	UserMapping   Kind = "user-mapping"   // id that the user namespace does not have
	NewPrivileges Kind = "new-privileges" // process that did not get privileges from a program that it executed
	Keyring       Kind = "keyring"        // the call
	IPC           Kind = "ipc"            // the call: an object of System V or POSIX that is not there
	ProcessHidden Kind = "process-hidden" // the call, or the path in /proc: a process that is not there
	ProcHidden    Kind = "proc-hidden"    // a path in /proc that is not of a process and not there
)

// Known reports whether there is such a kind.
func (k Kind) Known() bool {
	return slices.Contains([]Kind{
		PathReadOnly, PathHidden, PathAbsent, PathNoExec, FileSystem, MountPoint, Device, Family, Capability, Syscall,
		Architecture, Namespace, Realtime, WriteExecute, SetuidBit, Personality, Network, SocketBind, UserMapping,
		NewPrivileges, Keyring, IPC, ProcessHidden, ProcHidden,
	}, k)
}
