package confine

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"temper/generator"
	"temper/harness/proc/proctest"
	"temper/internal/directive"
)

// fakeKernel answers for the kernel.
type fakeKernel struct {
	outside  string
	attached []string
}

func (k fakeKernel) mounts(int) ([]byte, error) {
	if k.outside == "" {
		return nil, errors.ErrUnsupported
	}
	return []byte(k.outside), nil
}

func (k fakeKernel) programs(string) ([]string, error) {
	if k.attached == nil {
		return nil, errors.ErrUnsupported
	}
	return k.attached, nil
}

const rootMount = "1 0 0:1 / / rw - ext4 /dev/sda rw\n"

// TestRead: for each kind of trace, Read tells a process with the trace from one without it.
func TestRead(t *testing.T) {
	status := func(fields string) proctest.Process {
		return proctest.Process{"status": "Name:\tp\nNSpid:\t7\n" + fields}
	}
	mount := func(line string) proctest.Process { return proctest.Process{"mountinfo": rootMount + line} }
	seccomp := func(mode, filters string) proctest.Process {
		return status("Seccomp:\t" + mode + "\n" + filters)
	}
	const none, one, three = "", "Seccomp_filters:\t1\n", "Seccomp_filters:\t3\n"
	const caps, ip, lsm = "CapabilityBoundingSet", "IPAddressDeny", "/sys/kernel/security/lsm"
	root := status("Uid:\t524288\t524288\n")
	for _, tc := range []struct {
		name, directive, value string
		process, leader        proctest.Process
		kernel                 fakeKernel
		property               any
		notAttached            error
		// "holds"; "" if there is no trace; else why it does not hold, with "partly: " if a part holds
		want string
	}{
		{name: "a field of status", directive: "NoNewPrivileges", process: status("NoNewPrivs:\t1\n"), want: "holds"},
		{
			name: "another field of status", directive: "NoNewPrivileges", process: status("NoNewPrivs:\t0\n"),
			want: `NoNewPrivs is "0" in /proc, want "1"`,
		},
		{
			name: "no filter", directive: "LockPersonality", process: seccomp("0", none),
			want: `Seccomp is "0" in /proc, want "2"`,
		},
		{
			name: "a filter of its own", directive: "LockPersonality", process: seccomp("2", three),
			leader: seccomp("2", one),
			want:   "holds",
		},
		{
			name: "the filter of the place", directive: "LockPersonality", process: seccomp("2", one),
			leader: seccomp("2", one),
			want:   "has no other system call filters than PID 1",
		},
		{
			name: "a filter that is not counted", directive: "LockPersonality", process: seccomp("2", none),
			leader: seccomp("0", none), want: "holds",
		},
		{
			name: "filters that are not counted", directive: "LockPersonality", process: seccomp("2", none),
			leader: seccomp("2", none), want: "",
		},
		{
			name: "a namespace of its own", directive: "PrivateIPC", process: proctest.Process{"ns/ipc": "-> ipc:[7]"},
			want: "holds",
		},
		{name: "the namespace of the place", directive: "PrivateIPC", want: "shares the ipc namespace of PID 1"},
		{
			name: "a mount of its own", directive: "PrivateDevices",
			process: mount("2 1 0:7 / /dev rw - tmpfs tmpfs rw\n"),
			leader:  mount("2 1 0:2 / /dev rw - tmpfs tmpfs rw\n"), want: "holds",
		},
		{name: "the mount of the place", directive: "PrivateDevices", want: "has at /dev what PID 1 has there"},
		{
			name: "an option of a mount", directive: "ProtectProc", value: "invisible",
			process: mount("2 1 0:7 / /proc rw - proc proc rw,hidepid=invisible\n"), want: "holds",
		},
		{
			name: "another option of a mount", directive: "ProtectProc", value: "invisible",
			process: mount("2 1 0:7 / /proc rw - proc proc rw\n"), want: "/proc is not mounted with hidepid=invisible",
		},
		{
			name: "few capabilities", directive: caps, value: "CAP_CHOWN CAP_KILL",
			process: status("CapBnd:\t0000000000000001\n"), want: "holds",
		},
		{
			name: "more capabilities", directive: caps, value: "CAP_CHOWN",
			process: status("CapBnd:\t0000000000000021\n"),
			want:    "CapBnd still has CAP_KILL",
		},
		{name: "no capabilities to be seen", directive: caps, value: "CAP_CHOWN", want: "/proc shows no CapBnd"},
		{
			name: "not root", directive: "DynamicUser", process: status("Uid:\t524289\t524289\n"), leader: root,
			want: "holds",
		},
		{name: "root", directive: "DynamicUser", process: root, leader: root, want: "runs as root"},
		{
			name: "a program on the group", directive: ip, value: "any",
			kernel: fakeKernel{attached: []string{"other", "sd_fw_egress"}}, want: "holds",
		},
		{
			name: "a program without a name", directive: ip, value: "any", kernel: fakeKernel{attached: []string{""}},
			want: "holds",
		},
		{
			name: "no program on the group", directive: ip, value: "any", kernel: fakeKernel{attached: []string{}},
			want: "this systemd has attached no BPF program for it",
		},
		{
			name: "no program could be attached", directive: ip, value: "any", kernel: fakeKernel{attached: []string{}},
			notAttached: errors.New("no cgroup"), want: "no BPF program could be attached for it: no cgroup",
		},
		{name: "programs that the kernel does not tell", directive: ip, value: "any", want: ""},
		{
			name: "a word in a file", directive: "RestrictFileSystems", value: "ext4",
			leader: tree(t, map[string]string{lsm: "lockdown,bpf"}), want: "holds",
		},
		{
			name: "no word in a file", directive: "RestrictFileSystems", value: "ext4",
			leader: tree(t, map[string]string{lsm: "lockdown"}),
			want:   "the kernel has no bpf among its security modules, as " + lsm + " tells them",
		},
		{name: "a property", directive: "NotifyAccess", value: "main", property: "main", want: "holds"},
		{name: "a boolean property", directive: "RemoveIPC", property: true, want: "holds"},
		{name: "another property", directive: "RemoveIPC", property: false, want: "systemd says that it is false"},
		{name: "no trace", directive: "UMask", value: "0077", want: ""},
		{
			name: "a hidden path with a blank", directive: "InaccessiblePaths", value: `"/srv/with blank"`,
			process: tree(t, map[string]string{"/srv/with blank": ""}),
			kernel:  fakeKernel{outside: rootMount + `2 1 0:2 / /srv/with\040blank rw - tmpfs tmpfs rw`}, want: "holds",
		},
		{
			name: "an open path", directive: "InaccessiblePaths", value: "/srv/x",
			process: tree(t, map[string]string{"/srv/x": ""}), want: "/srv/x is not hidden",
		},
		{
			name: "what everybody has", directive: "PrivateTmp",
			process: tree(t, map[string]string{"/tmp/x": "", "/var/tmp/x": ""}),
			kernel:  fakeKernel{outside: rootMount + "2 1 0:2 / /tmp rw - tmpfs tmpfs rw\n"},
			leader:  mount("2 1 0:2 / /tmp rw - tmpfs tmpfs rw\n"), want: "/tmp is not hidden",
		},
		{
			name: "a directory of what everybody has", directive: "PrivateTmp",
			process: tree(t, map[string]string{"/tmp/x": ""}),
			kernel:  fakeKernel{outside: rootMount + "2 1 0:2 /mine /tmp rw - tmpfs tmpfs rw\n"},
			leader:  mount("2 1 0:2 / /tmp rw - tmpfs tmpfs rw\n"), want: "holds",
		},
		{
			name: "a path that is not there", directive: "InaccessiblePaths", value: "/srv/x", process: tree(t, nil),
			want: "holds",
		},
		{
			name: "one of two paths", directive: "InaccessiblePaths", value: "/srv/x /srv/y",
			process: tree(t, map[string]string{"/srv/x": "", "/srv/y": ""}),
			kernel:  fakeKernel{outside: rootMount + "2 1 0:2 / /srv/x rw - tmpfs tmpfs rw\n"},
			want:    "partly: /srv/y is not hidden",
		},
		{
			name: "a read-only path", directive: "ReadOnlyPaths", value: "/srv/x",
			process: tree(t, map[string]string{"/srv/x/y": ""}),
			kernel:  fakeKernel{outside: rootMount + "2 1 0:2 / /srv/x ro - tmpfs tmpfs rw\n"}, want: "holds",
		},
		{
			name: "a writable path", directive: "ReadOnlyPaths", value: "/srv/x",
			process: tree(t, map[string]string{"/srv/x/y": ""}), want: "/srv/x is writable",
		},
		{
			name: "a path without programs", directive: "NoExecPaths", value: "/", process: tree(t, nil),
			kernel: fakeKernel{outside: "1 0 0:1 / / rw,noexec - tmpfs tmpfs rw\n"}, want: "holds",
		},
		{
			name: "a path with programs", directive: "NoExecPaths", value: "/", process: tree(t, nil),
			want: "/ is executable",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := proctest.Dir(t, map[int]proctest.Process{1: tc.leader, 7: tc.process})
			s := Subject{PID: 7, Leader: 1, Cgroups: []string{"/x"}, Version: 257, NotAttached: tc.notAttached}
			s.Property = func(string) any { return tc.property }
			lines := []string{cmp.Or(tc.value, "yes")}
			d, ok := directive.Lookup(tc.directive)
			if !ok {
				t.Fatal("no such directive")
			}
			got, err := read(dir, tc.kernel, s, generator.Plan{Items: []generator.Item{{Directive: d, Lines: lines}}})
			if err != nil {
				t.Fatal(err)
			}
			said := got.NoEffect[d.Name]
			if why := got.Partly[d.Name]; why != "" {
				said = "partly: " + why
			}
			if slices.Contains(got.Holds, d.Name) {
				said = cmp.Or(said, "holds")
			}
			if said != tc.want {
				t.Errorf("%q, want %q", said, tc.want)
			}
		})
	}
}

// TestBypass: what does not bind the process is told by its groups, its capabilities and the filter of its unit. In an
// untrusted place PID 1 and its group have other numbers.
func TestBypass(t *testing.T) {
	const outsider = "Gid:\t9\t9\t9\t9\n"
	const root, admin = "CapPrm:\t000001ffffffffff\n", "CapPrm:\t0000000000200000\n"
	filter := func(allows bool, calls ...string) any { return []any{allows, calls} }
	for _, tc := range []struct {
		name, directive, value, status string
		filter                         any
		user                           string // its user namespace, if it has its own
		around                         bool
	}{
		{
			name: "a supplementary group", directive: "ProtectProc", value: "invisible", around: true,
			status: outsider + "Groups:\t7 524288\n",
		},
		{
			name: "the first group", directive: "ProtectProc", value: "noaccess", around: true,
			status: "Gid:\t524288\t524288\t524288\t524288\n",
		},
		{
			name: "group 0 of the machine", directive: "ProtectProc", value: "invisible",
			status: outsider + "Groups:\t0\n",
		},
		{
			name: "a value that binds all groups", directive: "ProtectProc", value: "ptraceable",
			status: outsider + "Groups:\t524288\n",
		},
		{
			name: "all capabilities", directive: "ProtectProc", value: "ptraceable", around: true,
			status: outsider + root,
		},
		{
			name: "its own capabilities", directive: "ProtectProc", value: "ptraceable", status: outsider + root,
			user: "-> user:[9]",
		},
		{
			name: "no filter", directive: "ProtectProc", value: "ptraceable", around: true, status: outsider + admin,
			filter: filter(false),
		},
		{
			name: "not a call of several", directive: "ProtectProc", value: "ptraceable", status: outsider + admin,
			filter: filter(false, "mount", "umount2", "move_mount", "mount_setattr"),
		},
		{
			name: "a call of several", directive: "ProtectProc", value: "ptraceable", around: true,
			status: outsider + admin, filter: filter(true, "read", "umount2"),
		},
		{
			name: "other calls", directive: "ProtectProc", value: "ptraceable", status: outsider + admin,
			filter: filter(true, "read"),
		},
		{
			name: "a directive that has no way around", directive: "NoNewPrivileges", value: "yes",
			status: root + "NoNewPrivs:\t1\n",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			process := proctest.Process{
				"status":    "Name:\tp\nNSpid:\t7\n" + tc.status,
				"mountinfo": rootMount + "2 1 0:7 / /proc rw - proc proc rw,hidepid=" + tc.value + "\n",
				"ns/user":   cmp.Or(tc.user, "-> user:[1]"),
			}
			leader := proctest.Process{
				"status": "Name:\tsystemd\nGid:\t524288\t524288\t524288\t524288\n", "mountinfo": rootMount,
				"ns/user": "-> user:[1]",
			}
			d, _ := directive.Lookup(tc.directive)
			plan := generator.Plan{Items: []generator.Item{{Directive: d, Lines: []string{tc.value}}}}
			s := Subject{PID: 7, Leader: 1, Version: 257, Property: func(string) any { return tc.filter }}
			got, err := read(proctest.Dir(t, map[int]proctest.Process{1: leader, 7: process}), fakeKernel{}, s, plan)
			if err != nil || !slices.Contains(got.Holds, tc.directive) {
				t.Fatalf("%v, %+v", err, got)
			}
			if around := got.Bypassed[tc.directive] != ""; around != tc.around {
				t.Errorf("%t: %v", around, got.Bypassed)
			}
		})
	}
}

// tree makes a process whose root directory has these files.
func tree(t *testing.T, files map[string]string) proctest.Process {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return proctest.Process{"root": "-> " + root}
}

// TestReadGone: the confinement is empty for a process that has ended, or that has not executed the service. A place
// that has ended is an error.
func TestReadGone(t *testing.T) {
	d, _ := directive.Lookup("NoNewPrivileges")
	plan := generator.Plan{Items: []generator.Item{{Directive: d, Lines: []string{"yes"}}}}
	dir := proctest.Dir(t, map[int]proctest.Process{
		1: {}, 7: {"exe": ""}, 8: {"exe": "-> /usr/lib/systemd/systemd-executor"}, 9: {"status": ""},
		10: {}, 11: {"mountinfo": "nonsense\n"},
	})
	for pid, what := range map[int]string{
		0: "no process", 7: "one that has ended", 8: "an executor", 9: "one without a status",
		404: "one that is not there",
	} {
		got, err := read(dir, fakeKernel{}, Subject{PID: pid, Leader: 1}, plan)
		if diff := gocmp.Diff(Confinement{}, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", what, err, diff)
		}
	}
	for _, s := range []Subject{{PID: 10, Leader: 404}, {PID: 11, Leader: 1}} {
		if got, err := read(dir, fakeKernel{}, s, plan); err == nil {
			t.Errorf("%+v: %+v without an error", s, got)
		}
	}
}
