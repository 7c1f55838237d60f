package blame

import (
	"slices"
	"strings"

	"temper/harness/witness"
	"temper/internal/directive"
	"temper/internal/refusal"
	"temper/internal/syscalls"
)

// equivalentCalls are groups of system calls that do the same. The C library and its version decide which of them a
// program uses, so a program that needs one is allowed all.
var equivalentCalls = [][]string{
	{"open", "openat", "openat2", "creat"},
	{"clone", "clone3", "fork", "vfork"},
	{"chown", "fchown", "lchown", "fchownat", "chown32", "fchown32", "lchown32"},
	{"setuid", "setuid32", "setreuid", "setreuid32", "setresuid", "setresuid32"},
	{"setgid", "setgid32", "setregid", "setregid32", "setresgid", "setresgid32"},
	{"setgroups", "setgroups32"},
	{"setrlimit", "prlimit64", "ugetrlimit", "getrlimit"},
	{"mlock", "mlock2"},
	{"munlock", "munlockall"},
	{"mount", "mount_setattr", "move_mount", "fsopen", "fsconfig", "fsmount", "open_tree"},
	{"umount", "umount2"},
	{"chmod", "fchmod", "fchmodat", "fchmodat2"},
	{"rename", "renameat", "renameat2"},
	{"unlink", "unlinkat", "rmdir"},
	{"mkdir", "mkdirat"},
	{"link", "linkat"},
	{"stat", "lstat", "fstat", "newfstatat", "fstatat64", "statx", "stat64", "lstat64", "fstat64"},
	{"poll", "ppoll", "ppoll_time64"},
	{"select", "_newselect", "pselect6", "pselect6_time64"},
	{"sched_setscheduler", "sched_setattr", "sched_setparam"},
	{"ioprio_get", "ioprio_set"},
	{"add_key", "keyctl", "request_key"},
	{"clock_adjtime", "clock_adjtime64", "adjtimex"},
	{"clock_settime", "clock_settime64", "settimeofday"},
	{"inotify_init", "inotify_init1"},
	{"pipe", "pipe2"},
	{"dup2", "dup3"},
	{"epoll_create", "epoll_create1"},
}

// equivalents are the names of the exception that lifts a restriction: for a system call, all calls that do the same.
func equivalents(r witness.Restriction) string {
	if r.Kind != refusal.Syscall {
		return r.Subject
	}
	for _, family := range equivalentCalls {
		if slices.Contains(family, r.Subject) {
			known := slices.DeleteFunc(slices.Clone(family), func(c string) bool { return !syscalls.Known(c) })
			return strings.Join(known, " ")
		}
	}
	return r.Subject
}

// Exceptions lists the exact exceptions that a directive can have. System calls that do the same are one exception.
func Exceptions(d *directive.Directive, want []string, version int) []string {
	names := d.Exceptions(want, version)
	if !slices.Contains(d.Refuses, refusal.Syscall) {
		return names
	}
	var families []string
	for _, n := range names {
		if f := equivalents(witness.Restriction{Kind: refusal.Syscall, Subject: n}); !slices.Contains(families, f) {
			families = append(families, f)
		}
	}
	return families
}
