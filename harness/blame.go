package harness

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"temper/harness/witness"
	"temper/internal/directive"
	"temper/internal/host"
	"temper/internal/verdict"
	"temper/profiles"
)

// suspects returns the levers that may have caused a restriction, by what the directive table says that each refuses.
func suspects(r witness.Restriction, ls []*lever, version int) []*lever {
	var found []*lever
	for _, l := range ls {
		if !l.isOff() && l.directive.Restricts() && l.refuses(r, version) {
			found = append(found, l)
		}
	}
	return found
}

// refuses reports whether a lever, as far down as it is, can cause a restriction.
func (l *lever) refuses(r witness.Restriction, version int) bool {
	d := l.directive
	if !slices.Contains(d.Refuses, directive.Refusal(r.Kind)) {
		return false
	}
	switch r.Kind {
	case witness.PathReadOnly:
		return l.covers(r.Subject, directive.ReadOnly, version)
	case witness.PathHidden:
		return l.covers(r.Subject, directive.Hidden, version)
	case witness.Capability, witness.Syscall, witness.Family, witness.Namespace:
		return l.refusesName(r, version)
	}
	return true
}

// covers reports whether the lever does something to a path. A relative path can be anywhere.
func (l *lever) covers(file string, mode directive.PathMode, version int) bool {
	if !path.IsAbs(file) {
		return true
	}
	return slices.ContainsFunc(l.directive.PathsOf(l.lines(version)), func(e directive.PathEffect) bool {
		return e.Mode == mode && host.Below(e.Path, file)
	})
}

// refusesName reports whether a name is among those that the lever refuses: itself, or by what it implies.
func (l *lever) refusesName(r witness.Restriction, version int) bool {
	if refused := l.directive.Exceptions(l.lines(version), version); len(refused) > 0 {
		return slices.Contains(refused, r.Subject) || r.Subject == "any"
	}
	for _, e := range l.directive.Implies {
		implied, ok := directive.Lookup(e.Directive)
		if ok && slices.Contains(implied.Exceptions([]string{e.Value}, version), r.Subject) {
			return true
		}
	}
	// A directive that says nothing of names refuses them all, as a user namespace does every capability.
	return len(l.directive.Implies) == 0 && !l.directive.HasExceptions()
}

// blame turns complaints into proposals: the likeliest cause of each that is a lever's, exact where the directive has
// exceptions, one rung down where it has not.
func blame(complaints []complaint, ls []*lever, version int, files view) []proposal {
	var list []proposal
	for _, c := range complaints {
		for _, r := range c.restrictions {
			found := suspects(r, ls, version)
			for _, l := range found {
				p := relief(l, r, files, c.evidence)
				if covering(r.Kind) {
					p.refuses = func(l *lever) bool { return l.refuses(r, version) }
				}
				list = append(list, p)
			}
			if len(found) > 0 {
				break // the likeliest; if that does not help, it is no suspect any more and the next is
			}
		}
	}
	return list
}

// covering reports whether the table tells, value by value, what a directive of the kind refuses.
func covering(k witness.Kind) bool { return k == witness.PathReadOnly || k == witness.PathHidden }

// relief is what would lift a restriction that a lever causes: an exception where there are exact ones, else a step down.
func relief(l *lever, r witness.Restriction, files view, why verdict.Evidence) proposal {
	p := proposal{directive: l.directive, evidence: why}
	exceptions := exceptionsOf(l.directive.Name, r.Kind)
	switch file := files.absolute(r.Subject); {
	case r.Kind == witness.PathReadOnly && path.IsAbs(file):
		if dir := files.writable(file); dir != "" {
			p.directive, p.names = exceptions, []string{files.setting(dir)}
		}
	case r.Kind == witness.PathNoExec && path.IsAbs(r.Subject):
		p.directive, p.names = exceptions, []string{files.setting(r.Subject)}
	case r.Kind == witness.Device && exceptions != nil:
		p.directive, p.names = exceptions, []string{r.Subject + " rw"}
	case r.Kind == witness.Network && exceptions != nil:
		p.directive, p.names = exceptions, []string{hostOf(r.Subject)}
	case r.Kind == witness.SocketBind && exceptions != nil:
		p.directive, p.names = exceptions, listening([]string{"tcp " + r.Subject, "udp " + r.Subject})
	case r.Kind == witness.PathHidden:
		p.names = l.elements(r.Subject)
	case l.directive.HasExceptions() && r.Subject != "any":
		p.names = []string{equivalents(r)}
	}
	return p
}

// elements are the elements of a list of paths that cover a file; none if the lever is no such list.
func (l *lever) elements(file string) []string {
	return slices.DeleteFunc(l.directive.Exceptions(l.want, 0), func(p string) bool {
		return !strings.HasPrefix(p, "/") || !host.Below(p, file)
	})
}

// hostOf is the address of a socket without its port.
func hostOf(address string) string {
	if a, err := netip.ParseAddrPort(address); err == nil {
		return a.Addr().String()
	}
	return address
}

// listening are the exceptions, as SocketBindAllow= has them, for sockets as an observation names them: "tcp 0.0.0.0:80".
func listening(sockets []string) []string {
	var rules []string
	for _, s := range sockets {
		protocol, address, _ := strings.Cut(s, " ")
		a, err := netip.ParseAddrPort(address)
		if err != nil {
			continue
		}
		if rule := fmt.Sprintf("%s:%d", protocol, a.Port()); !slices.Contains(rules, rule) {
			rules = append(rules, rule)
		}
	}
	return rules
}

// exceptionsOf returns the directive that holds the exceptions of another, or that lifts what it refuses; nil if none does.
func exceptionsOf(name string, refused witness.Kind) *directive.Directive {
	for _, d := range directive.All() {
		if name != "" && d.With == name || refused != "" && d.Lifts == directive.Refusal(refused) {
			return d
		}
	}
	return nil
}

// families of system calls that do the same: which one a program uses depends on the C library and its version, so a need
// of one is a need of all.
var alike = [][]string{
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

// equivalents are the names that lift a restriction, in one exception: a system call with those that do the same.
func equivalents(r witness.Restriction) string {
	if r.Kind == witness.Syscall {
		for _, family := range alike {
			if slices.Contains(family, r.Subject) {
				known := slices.DeleteFunc(slices.Clone(family), func(c string) bool { return !directive.KnownSyscall(c) })
				return strings.Join(known, " ")
			}
		}
	}
	return r.Subject
}

// silent lists what a trial that passed was refused and the baseline was not: damage that no check noticed.
func silent(record witness.Record, ls []*lever, version int, files view) []verdict.Evidence {
	var list []verdict.Evidence
	for _, c := range denied(record) {
		for _, r := range c.restrictions {
			if found := suspects(r, ls, version); len(found) > 0 {
				list = append(list, verdict.Evidence{Kind: "refused", Text: c.evidence.Text + remedy(r, found, ls, version, files)})
				break
			}
		}
	}
	return list
}

// remedy names every directive that causes a restriction, and what a profile would say to have none of them do so.
func remedy(r witness.Restriction, found, ls []*lever, version int, files view) string {
	var by, lines, weaker []string
	for _, l := range found {
		name := l.directive.Name + "="
		by = append(by, name)
		switch line := right(relief(l, r, files, verdict.Evidence{}), l.profile, ls, version); {
		case line == "":
			weaker = append(weaker, name)
		case !slices.Contains(lines, line):
			lines = append(lines, line)
		}
	}
	text := "; by " + strings.Join(by, " and ")
	if len(lines) > 0 {
		text += "; to allow it: " + strings.Join(lines, " and ")
	}
	if len(lines) > 0 && len(weaker) > 0 {
		text += ", and a weaker " + strings.Join(weaker, " and ")
	}
	return text
}

// right is the line of a profile that makes the exceptions of a proposal, "" if none does: since it replaces the one that the
// profile has or takes over, it holds all that is in that, and what the search had to add. The secrets of other services are
// not the profile's to show.
func right(p proposal, profile *profiles.Profile, ls []*lever, version int) string {
	set, _ := profile.Setting(p.directive.Name)
	l := &lever{directive: p.directive, want: set.Values}
	if i := slices.IndexFunc(ls, func(o *lever) bool { return o.directive == p.directive }); i >= 0 {
		l.names = ls[i].names
	}
	if !l.allow(p.names) || slices.Equal(l.lines(version), set.Values) {
		return ""
	}
	return assignment(l.directive.Name, l.lines(version))
}
