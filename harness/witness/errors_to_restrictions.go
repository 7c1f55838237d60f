package witness

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"temper/internal/refusal"
	"temper/internal/values"
)

// Restriction is what may have refused a call.
type Restriction struct {
	Kind    refusal.Kind
	Subject string
}

// String is "kind subject".
func (r Restriction) String() string { return strings.TrimSpace(string(r.Kind) + " " + r.Subject) }

// Restrictions returns what may have refused the call, the likeliest first; none if no sandbox causes that error. It is
// known whether a seccomp filter or the kernel itself refused the call, so only restrictions of that kind are returned.
func (d Denial) Restrictions() []Restriction {
	var found []Restriction
	for _, r := range rules {
		if !r.fits(d) {
			continue
		}
		for _, s := range r.Subject(d) {
			if one := (Restriction{r.Kind, s}); !slices.Contains(found, one) {
				found = append(found, one)
			}
		}
	}
	return found
}

// by says whether a seccomp filter or the kernel itself refuses.
type by int

const (
	kernel by = iota
	seccomp
	either
)

// rule is one way in which a restriction causes errors. Read in the other direction, it says which call that succeeds
// needs that nothing restricts it.
type rule struct {
	Kind    refusal.Kind
	By      by
	Errnos  []string // nil is any
	Calls   []string // nil is any
	Subject func(Denial) []string
	// Asks reports whether the restriction would have refused a call that has succeeded. It is nil where a success does
	// not show a need.
	Asks func(Denial) bool
}

func (r rule) fits(d Denial) bool {
	return (r.By == either || (r.By == seccomp) == d.Filtered) &&
		(r.Errnos == nil || slices.Contains(r.Errnos, d.Errno)) &&
		(r.Calls == nil || slices.Contains(r.Calls, d.Syscall))
}

// Errnos returns the errors by which some kinds of refusal can show. A filter can answer any call with an error that an
// administrator chooses: of those it is all that are usual, but for that of a missing file, which says nothing.
func Errnos(kinds []refusal.Kind) []unix.Errno {
	var list []unix.Errno
	for _, r := range rules {
		if !slices.Contains(kinds, r.Kind) {
			continue
		}
		if r.Errnos == nil {
			list = append(list, slices.DeleteFunc(slices.Clone(usual), func(e unix.Errno) bool {
				return e == unix.ENOENT
			})...)
		}
		for e := unix.Errno(1); e <= maxErrno; e++ {
			if name := unix.ErrnoName(e); name != "" && slices.Contains(r.Errnos, name) {
				list = append(list, e)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// AllErrnos returns the errors by which any kind of refusal can show.
func AllErrnos() []unix.Errno {
	var kinds []refusal.Kind
	for _, r := range rules {
		kinds = append(kinds, r.Kind)
	}
	return Errnos(kinds)
}

// Groups of calls that the rules use.
var (
	execCalls = []string{"execve", "execveat"}
	idCalls   = []string{
		"setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "setfsuid", "setfsgid",
	}
	openCalls    = []string{"open", "openat", "openat2", "creat"}
	chownCalls   = []string{"chown", "fchown", "fchownat", "lchown"}
	moveCalls    = []string{"rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "rmdir"}
	sendCalls    = []string{"connect", "sendto", "sendmsg", "sendmmsg"}
	memoryCalls  = []string{"mmap", "mprotect", "pkey_mprotect", "shmat"}
	lockCalls    = []string{"mlock", "mlock2", "mlockall", "mmap"}
	ipcCalls     = []string{"mq_open", "mq_unlink", "shmget", "semget", "msgget"}
	keyCalls     = []string{"keyctl", "add_key", "request_key"}
	processCalls = []string{"kill", "tkill", "tgkill", "ptrace", "pidfd_open", "pidfd_send_signal"}
)

// rules are in order of likelihood.
var rules = []rule{
	{refusal.Architecture, seccomp, nil, nil, architecture, nil},
	{refusal.Family, seccomp, []string{"EAFNOSUPPORT"}, []string{"socket", "socketpair"}, family, always},
	{
		refusal.Namespace, seccomp,
		[]string{"EPERM", "ENOSYS"},
		[]string{"clone", "clone3", "unshare", "setns"},
		namespaces, always,
	},
	{refusal.Realtime, seccomp, []string{"EPERM"}, []string{"sched_setscheduler", "sched_setattr"}, policy, always},
	{
		refusal.WriteExecute, either,
		[]string{"EPERM", "EACCES"},
		memoryCalls,
		executableMemory, Denial.mapsWritableCode,
	},
	{refusal.SetuidBit, seccomp, []string{"EPERM", "ENOSYS"}, nil, setuidBit, Denial.hasMode},
	{
		refusal.Personality, seccomp, []string{"EPERM"}, []string{"personality"}, firstArgument, Denial.setsPersonality,
	},
	{refusal.MountPoint, kernel, []string{"EXDEV", "EBUSY"}, moveCalls, paths, nil},
	{refusal.PathReadOnly, kernel, []string{"EROFS"}, nil, paths, Denial.writes},
	{refusal.Device, kernel, []string{"ENOENT", "ENXIO", "ENODEV"}, nil, device, Denial.opensDevice},
	{
		refusal.Device, kernel,
		[]string{"EPERM", "EACCES"},
		slices.Concat(openCalls, []string{"mknod", "mknodat"}),
		device, nil,
	},
	{refusal.PathNoExec, kernel, []string{"EACCES", "EPERM"}, execCalls, paths, always},
	{refusal.PathNoExec, kernel, []string{"EPERM"}, []string{"mmap"}, executableFile, nil},
	{refusal.ProcessHidden, kernel, []string{"ENOENT"}, nil, processFiles, Denial.finds},
	{refusal.ProcHidden, kernel, []string{"ENOENT"}, nil, procFiles, Denial.finds},
	{refusal.PathAbsent, kernel, []string{"ENOENT"}, nil, written, nil},
	{refusal.PathHidden, kernel, []string{"ENOENT", "EACCES"}, nil, files, Denial.finds},
	{refusal.FileSystem, kernel, []string{"EPERM"}, openCalls, paths, nil},
	{refusal.SocketBind, kernel, []string{"EPERM", "EACCES"}, []string{"bind"}, addresses, Denial.takesAddress},
	{
		refusal.Network, kernel, []string{"EPERM", "EACCES", "ECONNREFUSED"}, sendCalls, addresses, Denial.takesAddress,
	},
	{
		refusal.Network, kernel,
		[]string{"EADDRNOTAVAIL", "ENETDOWN", "ENETUNREACH", "EHOSTUNREACH"},
		nil,
		addresses, nil,
	},
	{refusal.Network, kernel, []string{"ENODEV"}, []string{"setsockopt", "ioctl"}, callItself, nil},
	{
		refusal.UserMapping, kernel,
		[]string{"EINVAL", "EOVERFLOW"},
		slices.Concat(idCalls, chownCalls),
		ids, Denial.changesUser,
	},
	{refusal.Keyring, kernel, []string{"ENOKEY", "EACCES", "EPERM"}, keyCalls, callItself, nil},
	{refusal.IPC, kernel, []string{"ENOENT", "EACCES"}, ipcCalls, callItself, nil},
	{refusal.ProcessHidden, kernel, []string{"ESRCH"}, processCalls, callItself, nil},
	{refusal.Capability, kernel, []string{"EPERM"}, nil, capabilities, nil},
	{refusal.Capability, kernel, []string{"EACCES"}, nil, accessCapabilities, nil},
	{refusal.Capability, kernel, []string{"ENOMEM", "EAGAIN"}, lockCalls, lockCapability, nil},
	{refusal.NewPrivileges, kernel, []string{"EPERM"}, slices.Concat(idCalls, []string{"capset"}), process, nil},
	{refusal.NewPrivileges, kernel, []string{"EACCES"}, openCalls, process, nil}, // a set-group-ID program could
	{refusal.Syscall, seccomp, nil, nil, callItself, nil},
}

func firstArgument(d Denial) []string { return []string{d.argument(1)} }

func process(d Denial) []string { return []string{d.Process} }

func callItself(d Denial) []string {
	if _, foreign := d.foreign(); foreign {
		return nil // its number is not of this architecture
	}
	return []string{d.Syscall}
}

// foreign returns the architecture of a call that is not native.
func (d Denial) foreign() (string, bool) {
	arch, _, found := strings.Cut(d.Syscall, " call ")
	return arch, found
}

func architecture(d Denial) []string {
	if arch, foreign := d.foreign(); foreign {
		return []string{arch}
	}
	return nil
}

func family(d Denial) []string { return []string{familyName(d.Args[0])} }

// flagArg says where each call has its clone flags.
var flagArg = map[string]int{"clone": 0, "clone3": 0, "unshare": 0, "setns": 1}

// namespaces are those of a call, by their names in /proc/PID/ns and in RestrictNamespaces=.
func namespaces(d Denial) []string {
	flags := d.Args[flagArg[d.Syscall]]
	if d.Syscall == "clone" {
		flags &^= 0xff // the signal; CLONE_NEWTIME shares its bits
	}
	all := values.NamespacesOf(flags).Names()
	if all == nil && d.Syscall == "setns" {
		return []string{"any"} // flags may be 0: the descriptor decides
	}
	return all
}

func policy(d Denial) []string {
	const resetOnFork = 0x40000000
	if name := Policy(uint32(d.Args[1] &^ resetOnFork)); name != "" {
		return []string{name}
	}
	return nil
}

// Policy is the name of a policy of real-time scheduling; empty for every other one.
func Policy(number uint32) string {
	switch number {
	case unix.SCHED_FIFO:
		return "SCHED_FIFO"
	case unix.SCHED_RR:
		return "SCHED_RR"
	case unix.SCHED_DEADLINE:
		return "SCHED_DEADLINE"
	}
	return ""
}

func executableMemory(d Denial) []string {
	const shmExec = 0o100000
	bit := uint64(unix.PROT_EXEC)
	if d.Syscall == "shmat" {
		bit = shmExec
	}
	if d.Args[2]&bit == 0 {
		return nil
	}
	return []string{d.Syscall}
}

// executableFile is a file that was to be mapped as a program. The call does not tell its path.
func executableFile(d Denial) []string {
	if d.Args[2]&unix.PROT_EXEC == 0 || d.Args[3]&unix.MAP_ANONYMOUS != 0 {
		return nil
	}
	return []string{""}
}

// modeArg says where each call has the mode of a file.
var modeArg = map[string]int{
	"chmod": 1, "fchmod": 1, "fchmodat": 2, "fchmodat2": 2, "mkdir": 1, "mkdirat": 2, "mknod": 1, "mknodat": 2,
	"creat": 1, "open": 2, "openat": 3,
}

func setuidBit(d Denial) []string {
	arg, has := modeArg[d.Syscall]
	if d.Syscall != "openat2" && (!has || d.Args[arg]&(unix.S_ISUID|unix.S_ISGID) == 0) {
		return nil // openat2 has its mode where a filter cannot see it, and is refused with any
	}
	return []string{d.Path}
}

// hasMode reports whether the call is known to set the mode of a file: that of openat2 is in a structure.
func (d Denial) hasMode() bool {
	_, opens := d.openFlags()
	_, has := modeArg[d.Syscall]
	return has && (!opens || d.makes() != "")
}

// paths are the files of a call, "" if they are not known.
func paths(d Denial) []string {
	if d.To == "" {
		return []string{d.Path}
	}
	if callOf(d.Syscall).Text {
		return []string{d.To}
	}
	return []string{d.Path, d.To}
}

// files are the files of a call, without the addresses of sockets.
func files(d Denial) []string {
	if d.Path == "" || !strings.HasPrefix(d.Path, "/") && callOf(d.Syscall).Data != 0 {
		return nil
	}
	return paths(d)
}

// written are the files of a call that makes or changes them.
func written(d Denial) []string {
	if d.makes() == "" && !d.writes() {
		return nil
	}
	return files(d)
}

// processFiles are the files of another process in /proc. Those of the process itself are always visible.
func processFiles(d Denial) []string {
	if rest, ok := strings.CutPrefix(d.Path, "/proc/"); ok {
		entry, _, _ := strings.Cut(rest, "/")
		if pid, err := strconv.Atoi(entry); err == nil && pid != d.PID {
			return []string{d.Path}
		}
	}
	return nil
}

// procFiles are files in /proc that belong to no process.
func procFiles(d Denial) []string {
	if rest, ok := strings.CutPrefix(d.Path, "/proc/"); ok {
		entry, _, _ := strings.Cut(rest, "/")
		if _, err := strconv.Atoi(entry); err != nil && entry != "self" && entry != "thread-self" {
			return []string{d.Path}
		}
	}
	return nil
}

func device(d Denial) []string {
	isBelow := func(dir string) bool { return strings.HasPrefix(d.Path, dir) }
	if isBelow("/dev/") && !slices.ContainsFunc(noDevices, isBelow) {
		return []string{d.Path}
	}
	return nil
}

// noDevices are file systems of their own below /dev that hold no devices: systemd leaves them to every service.
var noDevices = []string{"/dev/hugepages/", "/dev/mqueue/", "/dev/shm/"}

// addresses are the peers of a call on a socket, without paths. A refused connection can be due to the sandbox only for
// an abstract socket, which may be in another network namespace.
func addresses(d Denial) []string {
	if strings.HasPrefix(d.Path, "/") || d.Errno == "ECONNREFUSED" && !strings.HasPrefix(d.Path, "@") {
		return nil
	}
	return []string{d.Path}
}

func ids(d Denial) []string {
	var all []string
	for _, n := range callOf(d.Syscall).Scalars {
		if id := uint32(d.Args[n-1]); id != ^uint32(0) { // -1 leaves it as it is
			all = append(all, fmt.Sprint(id))
		}
	}
	return all
}

// argument shows a plain number as the call has it, counted from 1.
func (d Denial) argument(n int) string {
	if (d.Syscall == "socket" || d.Syscall == "socketpair") && n == 1 {
		return familyName(d.Args[0])
	}
	return fmt.Sprintf("%#x", d.Args[n-1])
}
