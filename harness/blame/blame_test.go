package blame_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"temper/generator"
	"temper/harness/blame"
	"temper/harness/witness"
	"temper/internal/directive"
	"temper/internal/host"
	"temper/internal/refusal"
	"temper/internal/unit"
	"temper/internal/values"
	"temper/internal/verdict"
	"temper/profiles"
)

// files are the files of a place.
type files struct {
	root  string
	all   bool     // all files existed before the first launch
	fresh []string // files that were made since
}

func (f files) Root() host.Root { return host.At(f.root) }

func (f files) ExistedAtStart(name string) bool {
	_, err := os.Lstat(filepath.Join(f.root, name))
	return f.all || err == nil && !slices.Contains(f.fresh, name)
}

func set(name string, values ...string) profiles.Setting {
	return profiles.Setting{Name: name, Values: values}
}

// input is a service whose unit sets nothing, and a profile that names it.
func input(settings ...profiles.Setting) generator.Input {
	return generator.Input{
		Unit:    &unit.Unit{Name: "web.service", ID: "web.service"},
		Profile: &profiles.Profile{Name: "web", Service: settings}, Named: true, Version: 257,
	}
}

// with adds assignments to the unit.
func with(in generator.Input, name, value string) generator.Input {
	u := *in.Unit
	u.Assignments = append(slices.Clone(u.Assignments), unit.Assignment{Section: "Service", Name: name, Value: value})
	in.Unit = &u
	return in
}

// applied is everything that the profile asks for.
func applied(in generator.Input) []blame.Applied {
	var plan []blame.Applied
	for _, i := range generator.NewPlan(in).Items {
		plan = append(plan, blame.Applied{Directive: i.Directive, Want: i.Want, Lines: i.Want})
	}
	return plan
}

func denial(call, errno, path string) witness.Denial {
	return witness.Denial{Process: "web", Syscall: call, Errno: errno, Path: path}
}

// brief writes proposals as "directive", or "directive: exceptions".
func brief(list []blame.Proposal) []string {
	var all []string
	for _, p := range list {
		text := p.Directive.Name
		if len(p.Names) > 0 {
			text += ": " + strings.Join(p.Names, ", ")
		}
		all = append(all, text)
	}
	return all
}

// TestCausesNext: what a filter refuses, and the kernel would refuse without the filter, is allowed at once. A
// capability that the service never used without hardening is not given.
func TestCausesNext(t *testing.T) {
	in := input(set("RestrictRealtime", "yes"), set("CapabilityBoundingSet", "CAP_CHOWN"))
	realtime := witness.Denial{
		Process: "web", Syscall: "sched_setscheduler", Errno: "EPERM", Filtered: true,
		Args: [6]uint64{0, unix.SCHED_FIFO},
	}
	for used, want := range map[string][]string{
		"CAP_SYS_NICE": {"RestrictRealtime", "CapabilityBoundingSet: CAP_SYS_NICE"},
		"CAP_KILL":     {"RestrictRealtime"},
	} {
		record := witness.Record{Denials: []witness.Denial{realtime}, UsedBefore: values.CapabilitySet(used)}
		got := blame.NewService(in, files{}).Causes(blame.Seen{Refused: record}, applied(in))
		if diff := cmp.Diff(want, brief(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", used, diff)
		}
	}
}

// TestCausesRefused: a refusal of the kernel leads to exact exceptions where the directive can have some, and else to a
// weaker value.
func TestCausesRefused(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(root+"/srv/web", 0o755); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		refused witness.Denial
		setting []profiles.Setting
		want    []string
	}{
		{
			"a directory", denial("mkdir", "EROFS", "/srv/web/new"),
			[]profiles.Setting{set("ProtectSystem", "strict")},
			[]string{"ReadWritePaths: /srv/web"},
		},
		{
			"a directory that is closed by its name", denial("unlink", "EROFS", "/srv/web/old"),
			[]profiles.Setting{set("ProtectSystem", "strict"), set("ReadOnlyPaths", "/srv/web", "/srv/other")},
			[]string{"ReadWritePaths: /srv/web", "ReadOnlyPaths: /srv/web"},
		},
		{
			"a directory below one that is closed by its name", denial("unlink", "EROFS", "/srv/web/old"),
			[]profiles.Setting{set("ReadOnlyPaths", "/srv")},
			[]string{"ReadWritePaths: /srv/web"},
		},
		{
			"a path of nobody's", denial("mkdir", "EROFS", "/new/dir"),
			[]profiles.Setting{set("ProtectSystem", "strict")},
			[]string{"ProtectSystem"},
		},
		{
			"a relative path", denial("mkdir", "EROFS", "new"),
			[]profiles.Setting{set("ProtectSystem", "strict")},
			[]string{"ProtectSystem"},
		},
		{
			"a directive that leaves the path", denial("mkdir", "EROFS", "/srv/web/new"),
			[]profiles.Setting{set("ProtectSystem", "full")},
			nil,
		},
		{
			"a hidden path", denial("chdir", "EACCES", "/home/x"),
			[]profiles.Setting{set("ProtectHome", "yes")},
			[]string{"ProtectHome"},
		},
		{
			"an element of a list", denial("chdir", "EACCES", "/etc/own/x"),
			[]profiles.Setting{set("InaccessiblePaths", "/etc/own", "/etc/other")},
			[]string{"InaccessiblePaths: /etc/own"},
		},
		{
			"a file in an empty file system", denial("openat", "ENOENT", "/srv/web/page"),
			[]profiles.Setting{set("TemporaryFileSystem", "/srv:ro", "/opt:ro"), set("InaccessiblePaths", "/opt")},
			[]string{"BindReadOnlyPaths: /srv/web"},
		},
		{
			"a file to be written in an empty file system", denial("mkdir", "ENOENT", "/srv/web/new"),
			[]profiles.Setting{set("TemporaryFileSystem", "/srv:ro"), set("BindPaths", "/srv/other")},
			[]string{"BindPaths: /srv/web"},
		},
		{
			"a file to be written in a read-only empty file system", denial("unlink", "EROFS", "/srv/web/old"),
			[]profiles.Setting{set("TemporaryFileSystem", "/:ro"), set("BindReadOnlyPaths", "/srv/web")},
			[]string{"BindPaths: /srv/web"},
		},
		{
			"a file in another root", denial("openat", "ENOENT", "/srv/web/page"),
			[]profiles.Setting{set("RootDirectory", "/srv/root")},
			[]string{"BindReadOnlyPaths: /srv/web"},
		},
		{
			"a new file where only the empty file system is", denial("mkdir", "EROFS", "/srv/new"),
			[]profiles.Setting{set("TemporaryFileSystem", "/srv:ro", "/opt:ro")},
			[]string{"TemporaryFileSystem: /srv"},
		},
		{
			"a program", denial("execve", "EACCES", "/srv/web/run"),
			[]profiles.Setting{set("NoExecPaths", "/srv")},
			[]string{"ExecPaths: /srv/web/run"},
		},
		{
			"a device", denial("openat", "EPERM", "/dev/kvm"),
			[]profiles.Setting{set("DevicePolicy", "closed")},
			[]string{"DeviceAllow: /dev/kvm rw"},
		},
		{
			"an address", denial("connect", "EPERM", "10.0.0.1:80"),
			[]profiles.Setting{set("IPAddressDeny", "any")},
			[]string{"IPAddressAllow: 10.0.0.1"},
		},
		{
			"an address without a port", denial("connect", "EPERM", "10.0.0.1"),
			[]profiles.Setting{set("IPAddressDeny", "any")},
			[]string{"IPAddressAllow: 10.0.0.1"},
		},
		{
			"a port", denial("bind", "EPERM", "0.0.0.0:80"),
			[]profiles.Setting{set("SocketBindDeny", "any")},
			[]string{"SocketBindAllow: tcp:80, udp:80"},
		},
		{
			"a call, and no other of its family",
			witness.Denial{Process: "web", Syscall: "mlock", Errno: "EPERM", Filtered: true},
			[]profiles.Setting{set("SystemCallFilter", "~@memlock")},
			[]string{"SystemCallFilter: mlock"},
		},
		{
			"a capability", denial("settimeofday", "EPERM", ""),
			[]profiles.Setting{set("CapabilityBoundingSet", "")},
			[]string{"CapabilityBoundingSet: CAP_SYS_TIME"},
		},
		{
			"each capability of those that a call wants at once and the plan takes",
			wanting("CAP_KILL", "CAP_SYS_TIME", "CAP_CHOWN"),
			[]profiles.Setting{set("CapabilityBoundingSet", "CAP_CHOWN")},
			[]string{"CapabilityBoundingSet: CAP_KILL", "CapabilityBoundingSet: CAP_SYS_TIME"},
		},
		{
			"more than a process has, though the plan takes none of it", wanting("CAP_CHOWN"),
			[]profiles.Setting{set("CapabilityBoundingSet", "CAP_CHOWN")},
			[]string{"CapabilityBoundingSet: CAP_SETPCAP"},
		},
		{
			"a capability that a directive implies to take", denial("settimeofday", "EPERM", ""),
			[]profiles.Setting{set("ProtectClock", "yes")},
			[]string{"ProtectClock"},
		},
		{
			"a capability that it leaves", denial("chown", "EPERM", "/srv/web"),
			[]profiles.Setting{set("ProtectClock", "yes")},
			nil,
		},
		{
			"every capability", denial("chown", "EPERM", "/srv/web"),
			[]profiles.Setting{set("PrivateUsers", "yes")},
			[]string{"PrivateUsers"},
		},
		{
			"a family",
			witness.Denial{
				Process: "web", Syscall: "socket", Errno: "EAFNOSUPPORT", Args: [6]uint64{2},
				Filtered: true,
			},
			[]profiles.Setting{set("RestrictAddressFamilies", "AF_UNIX")},
			[]string{"RestrictAddressFamilies: AF_INET"},
		},
		{
			"a namespace that was not told",
			witness.Denial{Process: "web", Syscall: "setns", Errno: "EPERM", Filtered: true},
			[]profiles.Setting{set("RestrictNamespaces", "yes")},
			[]string{"RestrictNamespaces"},
		},
		{
			"personality",
			witness.Denial{Process: "web", Syscall: "personality", Errno: "EPERM", Filtered: true},
			[]profiles.Setting{set("LockPersonality", "yes")},
			[]string{"LockPersonality"},
		},
		{
			"an error that is no refusal", denial("openat", "EIO", "/srv/web"),
			[]profiles.Setting{set("ProtectSystem", "strict")},
			nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := input(tt.setting...)
			seen := blame.Seen{Refused: witness.Record{Denials: []witness.Denial{tt.refused}}}
			got := blame.NewService(in, files{root: root}).Causes(seen, applied(in))
			if diff := cmp.Diff(tt.want, brief(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, p := range got {
				if want := (verdict.Evidence{Kind: "refused", Text: tt.refused.String()}); p.Evidence != want {
					t.Errorf("evidence %v, want %v", p.Evidence, want)
				}
			}
		})
	}
}

// wanting is a refused capset(2) of these capabilities.
func wanting(names ...string) witness.Denial {
	d := denial("capset", "EPERM", "")
	d.Args[1] = uint64(values.CapabilitySet(names...))
	return d
}

// TestCausesOff: a directive that assigns nothing is no cause.
func TestCausesOff(t *testing.T) {
	in := input(set("ProtectHome", "yes"), set("PrivateDevices", "yes"))
	off := applied(in)
	for i := range off {
		off[i].Lines = nil
	}
	seen := blame.Seen{
		Refused: witness.Record{Denials: []witness.Denial{denial("chdir", "EACCES", "/home/x")}}, Exit: "NAMESPACE",
		Log: []string{"mount namespacing: /home: Invalid argument"},
	}
	if got := blame.NewService(in, files{root: t.TempDir()}).Causes(seen, off); got != nil {
		t.Errorf("blamed %v", brief(got))
	}
}

// TestRefusesWeaker: a weaker value may refuse the same.
func TestRefusesWeaker(t *testing.T) {
	d, _ := directive.Lookup("ProtectHome")
	for value, want := range map[string]bool{"yes": true, "tmpfs": true, "read-only": false} {
		hidden := witness.Restriction{Kind: refusal.PathHidden, Subject: "/home/x"}
		if got := blame.Refuses(d, []string{value}, hidden, 257); got != want {
			t.Errorf("ProtectHome=%s hides /home/x: %v, want %v", value, got, want)
		}
	}
}

// TestCausesSetupFailed: an exit status of systemd's own names the directives that it could not set up, if these are
// few.
func TestCausesSetupFailed(t *testing.T) {
	in := input(
		set("ProtectSystem", "strict"), set("ProtectHome", "yes"), set("PrivateTmp", "yes"),
		set("ProtectKernelTunables", "yes"),
		set("ProtectKernelModules", "yes"), set("ProtectKernelLogs", "yes"), set("PrivateDevices", "yes"),
		set("RestrictAddressFamilies", "AF_UNIX"),
		set("NoNewPrivileges", "yes"), set("CapabilityBoundingSet", ""), set("LockPersonality", "yes"),
		set("MemoryDenyWriteExecute", "yes"),
		set("RestrictRealtime", "yes"), set("RestrictFileSystems", "~tmpfs"), set("ReadWritePaths", "/srv"),
	)
	exit := verdict.Evidence{Kind: "exit", Text: "start: job failed"}
	tests := []struct {
		name string
		in   generator.Input
		seen blame.Seen
		want []string
	}{
		{"capabilities", in, blame.Seen{Exit: "CAPABILITIES"}, []string{"CapabilityBoundingSet"}},
		{"privileges", in, blame.Seen{Exit: "NO_NEW_PRIVILEGES"}, []string{"NoNewPrivileges"}},
		{"families", in, blame.Seen{Exit: "ADDRESS_FAMILIES"}, []string{"RestrictAddressFamilies"}},
		{
			"keyring", with(input(set("KeyringMode", "private")), "KeyringMode", "shared"),
			blame.Seen{Exit: "KEYRING"},
			[]string{"KeyringMode"},
		},
		{"file systems", in, blame.Seen{Exit: "BPF"}, []string{"RestrictFileSystems"}},
		{
			"network", input(set("PrivateNetwork", "yes"), set("PrivateTmp", "yes")),
			blame.Seen{Exit: "NETWORK"},
			[]string{"PrivateNetwork"},
		},
		{
			"users", input(set("PrivateUsers", "yes"), set("PrivateTmp", "yes")),
			blame.Seen{Exit: "USER"},
			[]string{"PrivateUsers"},
		},
		{
			"namespaces", input(set("PrivateUsers", "yes"), set("PrivateIPC", "yes"), set("PrivateTmp", "yes")),
			blame.Seen{Exit: "NAMESPACE"},
			[]string{"PrivateTmp", "PrivateIPC"},
		},
		{"too many filters", in, blame.Seen{Exit: "SECCOMP"}, nil},
		{"too many mounts", in, blame.Seen{
			Exit: "NAMESPACE",
			Log:  []string{"mount namespacing: /mnt: Invalid argument"},
		}, nil},
		{
			"what is mounted", in,
			blame.Seen{
				Exit: "NAMESPACE",
				Log:  []string{"hello", "mount namespacing: /run/systemd/mount-rootfs/home: Invalid argument"},
			},
			[]string{"ProtectHome"},
		},
		{
			"what is mounted in a root of its own", with(in, "RootDirectory", "/srv/jail"),
			blame.Seen{Exit: "NAMESPACE", Log: []string{"mount namespacing: /srv/jail/dev: No such file or directory"}},
			[]string{"PrivateDevices"},
		},
		{"a status of the service", in, blame.Seen{}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.seen.Failure = exit
			got := blame.NewService(tt.in, files{root: t.TempDir()}).Causes(tt.seen, applied(tt.in))
			if diff := cmp.Diff(tt.want, brief(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, p := range got {
				if want := len(tt.seen.Log) == 0; (p.Evidence == exit) != want {
					t.Errorf("evidence %v", p.Evidence)
				}
			}
		})
	}
}

// TestCausesMissing: a path that systemd itself does not find in what the service sees is shown, if it is there without
// hardening.
func TestCausesMissing(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(root+"/srv/web", 0o755); err != nil {
		t.Fatal(err)
	}
	in := input(set("TemporaryFileSystem", "/srv:ro"), set("PrivateTmp", "yes"))
	home := with(in, "WorkingDirectory", "/srv/web")
	message := func(file string) []string {
		return []string{"mount namespacing: " + file + ": No such file or directory"}
	}
	for _, tt := range []struct {
		name string
		in   generator.Input
		seen blame.Seen
		want []string
	}{
		{"a list", in, blame.Seen{Exit: "NAMESPACE", Log: message("/srv/web")}, []string{"BindPaths: /srv/web"}},
		{
			"a list, below a directory of systemd's", in,
			blame.Seen{Exit: "NAMESPACE", Log: message("/run/systemd/unit-root/srv/web")},
			[]string{"BindPaths: /srv/web"},
		},
		{"it is nowhere", in, blame.Seen{Exit: "NAMESPACE", Log: message("/srv/none")}, []string{"PrivateTmp"}},
		{"the working directory", home, blame.Seen{Exit: "CHDIR"}, []string{"BindPaths: /srv/web"}},
		{"another exit", home, blame.Seen{Exit: "EXEC"}, nil},
	} {
		got := blame.NewService(tt.in, files{root: root}).Causes(tt.seen, applied(tt.in))
		if diff := cmp.Diff(tt.want, brief(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestCausesLogged: without a witness, the paths and errors in the log name the causes.
func TestCausesLogged(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"srv/web", "home/x", "dev"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(root+"/dev/kvm", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	in := input(set("ProtectSystem", "strict"), set("ProtectHome", "yes"), set("PrivateDevices", "yes"))
	for line, want := range map[string][]string{
		"open /srv/web/state: Read-only file system":    {"ReadWritePaths: /srv/web"},
		"Read-only file system: '/srv/web/state'.":      {"ReadWritePaths: /srv/web"},
		"stat /home/x: No such file or directory":       {"ProtectHome"},
		"stat /home/nobody: No such file or directory":  nil,
		"cannot open /dev/kvm: Operation not permitted": {"PrivateDevices"},
		"cannot open /srv/web: Operation not permitted": nil,
		"nothing to see": nil,
	} {
		got := blame.NewService(in, files{root: root}).Causes(blame.Seen{Log: []string{"before", line}}, applied(in))
		if diff := cmp.Diff(want, brief(got)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", line, diff)
		}
	}
}

// TestCausesInOrder: refusals of the kernel come before messages of systemd, and these before the log of the service.
func TestCausesInOrder(t *testing.T) {
	in := input(set("ProtectSystem", "strict"), set("ProtectHome", "yes"), set("NoNewPrivileges", "yes"))
	service := blame.NewService(in, files{root: t.TempDir()})
	seen := blame.Seen{
		Refused: witness.Record{Denials: []witness.Denial{denial("chdir", "EACCES", "/home/x")}},
		Exit:    "NO_NEW_PRIVILEGES",
		Log:     []string{"/new: read-only file system"},
	}
	for _, want := range []string{"ProtectHome", "NoNewPrivileges", "ProtectSystem"} {
		if got := brief(service.Causes(seen, applied(in))); !slices.Equal(got, []string{want}) {
			t.Errorf("%v, want %s", got, want)
		}
		if len(seen.Refused.Denials) == 0 {
			seen.Exit = ""
		}
		seen.Refused = witness.Record{}
	}
}

// TestNewRefusals: refusals that also happen without hardening, and files that do not exist, are left out.
func TestNewRefusals(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(root+"/srv", 0o755); err != nil {
		t.Fatal(err)
	}
	always, nowhere, news := denial("chown", "EPERM", "/srv"), denial("openat", "ENOENT", "/none"),
		denial("openat", "ENOENT", "/srv")
	got := blame.NewService(input(), files{root: root}).NewRefusals(
		witness.Record{Denials: []witness.Denial{always, nowhere, news}}, witness.Record{},
		witness.Record{Denials: []witness.Denial{always}})
	if diff := cmp.Diff([]witness.Denial{news}, got.Denials); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWritable: the path that is made writable for a file exists at every boot.
func TestWritable(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"etc/own", "var/lib/own/new", "srv/jail/etc", "srv/jail/data"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{
		"etc/conf", "etc/new", "etc/own/conf", "var/lib/own/new/state", "top",
		"srv/jail/etc/conf", "srv/jail/new",
	} {
		if err := os.WriteFile(filepath.Join(root, file), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	in := input(set("ProtectSystem", "strict"))
	place := files{root: root, fresh: []string{
		"/etc/new", "/var/lib/own/new", "/var/lib/own/new/state", "/top",
		"/srv/jail/new",
	}}
	jail, image := with(in, "RootDirectory", "/srv/jail"), with(in, "RootImage", "/srv/image.raw")
	for _, tt := range []struct {
		in         generator.Input
		file, want string
	}{
		{in, "/etc/conf", "/etc/conf"},    // a shared directory: only the file
		{in, "/etc/new", "/etc"},          // the service creates it, also after a boot
		{in, "/etc/own/conf", "/etc/own"}, // the service may replace it
		{in, "/etc/own/none", "/etc/own"},
		{in, "/var/lib/own/new/state", "/var/lib/own"},
		{in, "/var/lib/none/state", "/var/lib"},
		{in, "/top", ""},
		{jail, "/etc/conf", "+/etc/conf"},
		{jail, "/data/x", "+/data"},
		{jail, "/new", ""},
		{image, "/etc/own/conf", ""}, // what is in an image is not known
		{with(in, "WorkingDirectory", "/etc/own"), "state", "/etc/own"},
		{with(in, "WorkingDirectory", "~"), "state", ""},
	} {
		seen := blame.Seen{Refused: witness.Record{Denials: []witness.Denial{denial("mkdir", "EROFS", tt.file)}}}
		want := []string{"ProtectSystem"} // without an exception, the directive itself is weakened
		if tt.want != "" {
			want = []string{"ReadWritePaths: " + tt.want}
		}
		if diff := cmp.Diff(want, brief(blame.NewService(tt.in, place).Causes(seen, applied(in)))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.file, diff)
		}
	}
}

// TestShown: what a service is shown of a file gives nothing of others away if there is a way.
func TestShown(t *testing.T) {
	root := t.TempDir()
	for _, file := range []string{
		"etc/own/conf", "etc/conf", "etc/ssh/ssh_config", "etc/cron.d/own", "etc/sudoers.d/own", "home/alice/conf",
		"home/alice/own/conf", "var/lib/own/state",
	} {
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(file)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, file), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	in := input(set("TemporaryFileSystem", "/etc:ro", "/home:ro", "/var:ro"))
	for _, tt := range []struct{ call, file, want string }{
		{"openat", "/etc/own/conf", "BindReadOnlyPaths: /etc/own"},
		{"openat", "/etc/conf", "BindReadOnlyPaths: /etc/conf"},
		{"openat", "/etc/ssh/ssh_config", "BindReadOnlyPaths: /etc/ssh/ssh_config"},
		{"openat", "/etc/cron.d/own", "BindReadOnlyPaths: /etc/cron.d/own"},
		{"openat", "/etc/sudoers.d/own", "BindReadOnlyPaths: /etc/sudoers.d/own"},
		{"openat", "/home/alice/conf", "BindReadOnlyPaths: /home/alice/conf"},
		{"openat", "/home/alice/own/conf", "BindReadOnlyPaths: /home/alice/own"},
		{"mkdir", "/var/lib/own/new", "BindPaths: /var/lib/own"},
		{"mkdir", "/var/lib/new", "BindPaths: /var/lib"},   // what hides it hides more
		{"mkdir", "/etc/new", "TemporaryFileSystem: /etc"}, // what hides it hides no more
	} {
		seen := blame.Seen{Refused: witness.Record{Denials: []witness.Denial{denial(tt.call, "ENOENT", tt.file)}}}
		got := brief(blame.NewService(in, files{root: root}).Causes(seen, applied(in)))
		if diff := cmp.Diff([]string{tt.want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.file, diff)
		}
	}
}

// TestHome: a working directory that other services use too is no exception.
func TestHome(t *testing.T) {
	for _, tt := range []struct {
		in   generator.Input
		want string
	}{
		{input(), ""},
		{with(input(), "WorkingDirectory", "/var/lib"), ""},
		{with(input(), "WorkingDirectory", "-/var/lib/web"), "/var/lib/web"},
		{with(with(input(), "WorkingDirectory", "/data"), "RootDirectory", "/srv/jail"), "+/data"},
	} {
		if got := blame.NewService(tt.in, files{}).Home(); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.in.Unit.Assignments, got, tt.want)
		}
	}
}

// TestPortRules: a rule names the port of a socket, whatever its address. A socket without a port has no rule.
func TestPortRules(t *testing.T) {
	got := blame.PortRules([]string{"tcp 0.0.0.0:80", "tcp [::]:80", "udp 127.0.0.1:53", "unix /run/x"})
	if want := []string{"tcp:80", "udp:53"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
