package witness

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"temper/internal/host"
	"temper/internal/plain"
	"temper/internal/values"
)

// Denial is a system call that the kernel refused.
type Denial struct {
	Syscall string // the kernel's name; for a 32-bit program "x86 call 5"
	Errno   string // "EPERM", or "SIGSYS" if the process was killed for the call
	// Path is the file that the call was about, as the process sees it, or a socket's address: "/run/x.sock",
	// "@abstract", "127.0.0.1:80". It is relative if the directory could not be learned, "" if the call has no such
	// argument.
	Path string
	To   string // second path of a rename, a link or a mount
	// Args has those arguments that are plain numbers, such as a socket's family; addresses and descriptors are 0. Of
	// clone3 the first is the flags, of sched_setattr the second the policy, of capset the capabilities to have.
	Args [6]uint64
	// Filtered is true if a seccomp filter refused the call, false if the kernel began it and refused it then.
	Filtered bool
	Process  string // name of the thread, at most 15 bytes
	PID      int    // of the first process that was refused, as seen from here
	Count    int    // how often it happened
	Root     bool   // whether a process of root was refused; of a container, of its own root
	// Lacked are the capabilities that the call asked for and the process did not have. They are known only if
	// LackedKnown is set.
	Lacked      values.CapSet
	LackedKnown bool
}

// String says what was refused in one line, such as `nginx: openat("/var/log/x"): EROFS`.
func (d Denial) String() string {
	var args []string
	for _, p := range []string{d.Path, d.To} {
		if p != "" {
			args = append(args, fmt.Sprintf("%q", p))
		}
	}
	for _, n := range callOf(d.Syscall).Scalars {
		args = append(args, d.argument(n))
	}
	args = append(args, d.Wanted().Names()...)
	return fmt.Sprintf("%s: %s(%s): %s", plain.Line(d.Process), d.Syscall, strings.Join(args, ", "), d.Errno)
}

// Wanted are the capabilities that a call of capset(2) wants the process to have, all of them; none for other calls.
func (d Denial) Wanted() values.CapSet {
	if d.Syscall != "capset" {
		return 0
	}
	return values.CapSet(d.Args[1])
}

// Record is what a witness has recorded: each denial once, sorted, the most informative errors first.
type Record struct {
	// Denials are the calls of the service itself.
	Denials []Denial
	// Setup are the denials of systemd while it set up the service in its cgroup. Most of them do not matter, unless
	// the start fails with an exit status of 200 or above.
	Setup []Denial
	// Granted are the capabilities that the service asked for and had. They are known only if GrantedKnown is set.
	Granted      values.CapSet
	GrantedKnown bool
	// UsedBefore are the capabilities that the baselines were granted; see Minus.
	UsedBefore values.CapSet
	// Dropped counts the events that were lost because they came too fast. If it is not 0, the record is incomplete.
	Dropped uint64
}

// Minus returns r without the denials that the baseline has, however often. It compares all fields but PID, Count,
// Root, Filtered, Lacked and LackedKnown, which make no difference to the service, and ignores process ids in paths
// below /proc and numbers at the end of thread names.
//
// It adds to UsedBefore the capabilities that the baseline was granted, and removes from Lacked those that it was not:
// the call succeeded there without them.
func (r Record) Minus(baseline Record) Record {
	r.Denials, r.Setup = minus(r.Denials, baseline.Denials), minus(r.Setup, baseline.Setup)
	if baseline.GrantedKnown {
		r.UsedBefore |= baseline.Granted
		for i := range r.Denials {
			r.Denials[i].Lacked &= baseline.Granted
		}
	}
	return r
}

// Renamed returns r with old replaced by name in paths and addresses.
func (r Record) Renamed(old, name string) Record {
	renamed := func(list []Denial) []Denial {
		list = slices.Clone(list)
		for i := range list {
			list[i].Path = strings.ReplaceAll(list[i].Path, old, name)
			list[i].To = strings.ReplaceAll(list[i].To, old, name)
		}
		return list
	}
	r.Denials, r.Setup = renamed(r.Denials), renamed(r.Setup)
	return r
}

func minus(of, without []Denial) []Denial {
	known := map[Denial]bool{}
	for _, d := range without {
		known[d.class()] = true
	}
	return slices.DeleteFunc(slices.Clone(of), func(d Denial) bool { return known[d.class()] })
}

var (
	procID   = regexp.MustCompile(`^/proc/[0-9]+(/task/[0-9]+)?`)
	threadID = regexp.MustCompile(`[0-9]+$`)
)

// class is the denial without what differs from one run to the next.
func (d Denial) class() Denial {
	d.PID, d.Count, d.Root, d.Filtered, d.Lacked, d.LackedKnown = 0, 0, false, false, 0, false
	d.Process = threadID.ReplaceAllString(d.Process, "N")
	d.Path, d.To = procID.ReplaceAllString(d.Path, "/proc/N"), procID.ReplaceAllString(d.To, "/proc/N")
	return d
}

// processName matches the number at the end of a thread's name in what [Denial.String] says.
var processName = regexp.MustCompile(`^([^:]*?)[0-9]+:`)

// processPath matches the files of a process in what [Denial.String] says.
var processPath = regexp.MustCompile(`"/proc/[0-9]+(/task/[0-9]+)?`)

// Normalized is what [Denial.String] said, without what differs from one run to the next: process ids in paths below
// /proc, and numbers at the end of thread names.
func Normalized(text string) string {
	return processPath.ReplaceAllString(processName.ReplaceAllString(text, "${1}N:"), `"/proc/N`)
}

// Hidden returns r without each ENOENT for a file that does not exist in the file tree at root either. A program that
// fails looks for many such files, for example translations of its message.
func (r Record) Hidden(root host.Root) Record {
	absent := func(d Denial) bool { return d.Errno == "ENOENT" && strings.HasPrefix(d.Path, "/") && !d.findable(root) }
	r.Denials = slices.DeleteFunc(slices.Clone(r.Denials), absent)
	r.Setup = slices.DeleteFunc(slices.Clone(r.Setup), absent)
	return r
}

// creates are the calls that create the file that they name: its directory must exist, and not the file itself.
var creates = []string{"bind", "creat", "mkdir", "mkdirat", "mknod", "mknodat"}

// findable reports whether the call would find its file outside the sandbox.
func (d Denial) findable(root host.Root) bool {
	name := d.Path
	flags, opens := map[string]uint64{"open": d.Args[1], "openat": d.Args[2]}[d.Syscall]
	if slices.Contains(creates, d.Syscall) || opens && flags&unix.O_CREAT != 0 {
		name = path.Dir(name)
	}
	if callOf(d.Syscall).Text && d.To != "" {
		name = path.Dir(d.To)
	}
	_, err := root.Stat(name)
	return err == nil
}

// rank lists errors, the most informative first. Errors that are not in the list have the place of "".
var rank = []string{"SIGSYS", "EROFS", "EPERM", "EACCES", "EAFNOSUPPORT", "ENOSYS", "", "ENOENT"}

func rankOf(errno string) int {
	if i := slices.Index(rank, errno); i >= 0 {
		return i
	}
	return len(rank) - 2
}

func compare(a, b Denial) int {
	return cmp.Or(
		cmp.Compare(rankOf(a.Errno), rankOf(b.Errno)),
		cmp.Compare(a.Errno, b.Errno),
		cmp.Compare(a.Syscall, b.Syscall),
		cmp.Compare(a.Path, b.Path),
		cmp.Compare(a.To, b.To),
		cmp.Compare(a.Process, b.Process),
		slices.Compare(a.Args[:], b.Args[:]),
		cmp.Compare(strconv.FormatBool(a.Filtered), strconv.FormatBool(b.Filtered)),
		cmp.Compare(a.Lacked, b.Lacked),
	)
}
