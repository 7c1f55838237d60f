package witness_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"temper/harness/witness"
	"temper/internal/host"
	"temper/internal/values"
)

func TestMinus(t *testing.T) {
	missing := witness.Denial{Syscall: "openat", Errno: "ENOENT", Path: "/etc/x", Process: "a", PID: 7, Count: 1}
	proc := witness.Denial{
		Syscall: "openat", Errno: "EACCES", Path: "/proc/41/task/42/stat", Process: "a", PID: 7,
		Count: 1,
	}
	inet := witness.Denial{
		Syscall: "socket", Errno: "EAFNOSUPPORT", Args: [6]uint64{2, 1}, Process: "a",
		Filtered: true, Count: 1,
	}
	tests := []struct {
		name           string
		trial, without []witness.Denial
		want           []witness.Denial
	}{
		{"only the trial", []witness.Denial{inet, missing}, nil, []witness.Denial{inet, missing}},
		{"both", []witness.Denial{inet, missing}, []witness.Denial{missing}, []witness.Denial{inet}},
		{"only the baseline", nil, []witness.Denial{missing}, nil},
		{
			"PID and count do not matter", with(missing, func(d *witness.Denial) { d.PID, d.Count = 9, 50 }),
			[]witness.Denial{missing},
			nil,
		},
		{
			"path matters", with(missing, func(d *witness.Denial) { d.Path = "/etc/y" }),
			[]witness.Denial{missing},
			with(missing, func(d *witness.Denial) { d.Path = "/etc/y" }),
		},
		{
			"error matters", with(missing, func(d *witness.Denial) { d.Errno = "EACCES" }),
			[]witness.Denial{missing},
			with(missing, func(d *witness.Denial) { d.Errno = "EACCES" }),
		},
		{
			"argument matters", with(inet, func(d *witness.Denial) { d.Args[0] = 10 }),
			[]witness.Denial{inet},
			with(inet, func(d *witness.Denial) { d.Args[0] = 10 }),
		},
		{
			"process matters", with(inet, func(d *witness.Denial) { d.Process = "b" }),
			[]witness.Denial{inet},
			with(inet, func(d *witness.Denial) { d.Process = "b" }),
		},
		{
			"ids of processes do not", with(proc, func(d *witness.Denial) { d.Path = "/proc/1/task/2/stat" }),
			[]witness.Denial{proc},
			nil,
		},
		{
			"nor numbers of threads", with(inet, func(d *witness.Denial) { d.Process = "pool-2" }),
			with(inet, func(d *witness.Denial) { d.Process = "pool-17" }), nil,
		},
		{"nor who refused it", with(inet, func(d *witness.Denial) { d.Filtered = false }), []witness.Denial{inet}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := witness.Record{Denials: test.trial, Setup: test.trial, Dropped: 3}.
				Minus(witness.Record{Denials: test.without, Setup: test.without, Dropped: 5})
			want := witness.Record{Denials: test.want, Setup: test.want, Dropped: 3}
			if diff := cmp.Diff(want, got,
				cmp.Transformer("list", func(l []witness.Denial) string { return fmt.Sprint(l) })); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestHidden(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(dir+"/etc", 0o755), os.WriteFile(dir+"/etc/there", nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	opens := func(errno, path string, flags uint64) witness.Denial {
		return witness.Denial{Syscall: "openat", Errno: errno, Path: path, Args: [6]uint64{0, 0, flags}}
	}
	tests := []struct {
		name   string
		denial witness.Denial
		kept   bool
	}{
		{"file that others see", opens("ENOENT", "/etc/there", 0), true},
		{"file that nobody sees", opens("ENOENT", "/etc/nowhere", 0), false},
		{"new file where others see the directory", opens("ENOENT", "/etc/new", unix.O_CREAT), true},
		{"new file where nobody sees the directory", opens("ENOENT", "/nowhere/new", unix.O_CREAT), false},
		{"new directory", witness.Denial{Syscall: "mkdirat", Errno: "ENOENT", Path: "/etc/new"}, true},
		{"new link", witness.Denial{Syscall: "symlink", Errno: "ENOENT", Path: "/nowhere", To: "/etc/link"}, true},
		{"other error", opens("EACCES", "/etc/nowhere", 0), true},
		{"unknown directory", opens("ENOENT", "nowhere", 0), true},
		{"no file", witness.Denial{Syscall: "shmget", Errno: "ENOENT"}, true},
	}
	for _, test := range tests {
		got := witness.Record{Denials: []witness.Denial{test.denial}}.Hidden(host.At(dir))
		if kept := len(got.Denials) == 1; kept != test.kept {
			t.Errorf("%s: kept is %v, want %v", test.name, kept, test.kept)
		}
	}
}

func with(d witness.Denial, change func(*witness.Denial)) []witness.Denial {
	change(&d)
	return []witness.Denial{d}
}

func TestRestrictions(t *testing.T) {
	filtered := func(call, errno string, args ...uint64) witness.Denial {
		d := witness.Denial{Syscall: call, Errno: errno, Filtered: true, Process: "p"}
		copy(d.Args[:], args)
		return d
	}
	refused := func(call, errno, path string, args ...uint64) witness.Denial {
		d := filtered(call, errno, args...)
		d.Filtered, d.Path = false, path
		return d
	}
	ofRoot := func(d witness.Denial) witness.Denial { d.Root = true; return d }
	lacking := func(d witness.Denial, capabilities ...string) witness.Denial {
		d.LackedKnown, d.Lacked = true, values.CapabilitySet(capabilities...)
		return d
	}
	tests := []struct {
		denial witness.Denial
		want   string
	}{
		{filtered("socket", "EAFNOSUPPORT", unix.AF_PACKET, 3), "family AF_PACKET, syscall socket"},
		{refused("socket", "EAFNOSUPPORT", "", unix.AF_DECnet), ""}, // this kernel has none
		{refused("socket", "EPERM", "", unix.AF_PACKET, 3), "capability CAP_NET_RAW"},
		{filtered("clone", "EPERM", unix.CLONE_NEWNET|uint64(unix.SIGCHLD)), "namespace net, syscall clone"},
		{filtered("clone", "EPERM", uint64(unix.SIGCHLD)), "syscall clone"},
		{filtered("setns", "EPERM", 0, 0), "namespace any, syscall setns"},
		{refused("unshare", "EPERM", "", unix.CLONE_NEWNS), "capability CAP_SYS_ADMIN"},
		{refused("clone", "EAGAIN", "", uint64(unix.SIGCHLD)), ""},
		{
			filtered("sched_setscheduler", "EPERM", 0, unix.SCHED_FIFO|0x40000000),
			"realtime SCHED_FIFO, syscall sched_setscheduler",
		},
		{filtered("sched_setscheduler", "EPERM", 0, unix.SCHED_BATCH), "syscall sched_setscheduler"},
		{refused("sched_setscheduler", "EPERM", "", 0, unix.SCHED_RR), "capability CAP_SYS_NICE"},
		{
			filtered("mmap", "EPERM", 0, 0, unix.PROT_EXEC|unix.PROT_WRITE, unix.MAP_ANONYMOUS),
			"write-execute mmap, syscall mmap",
		},
		{refused("mprotect", "EACCES", "", 0, 0, unix.PROT_EXEC), "write-execute mprotect"}, // PR_SET_MDWE
		{refused("mmap", "EPERM", "", 0, 0, unix.PROT_EXEC, unix.MAP_PRIVATE), "write-execute mmap, path-noexec"},
		{refused("mmap", "EPERM", "", 0, 0, unix.PROT_READ), ""},
		{filtered("shmat", "EPERM", 0, 0, 0o100000), "write-execute shmat, syscall shmat"},
		{filtered("fchmodat", "EPERM", 0, 0, 0o4755), "setuid-bit, syscall fchmodat"},
		{filtered("fchmodat", "EPERM", 0, 0, 0o755), "syscall fchmodat"},
		{refused("fchmodat", "EPERM", "/bin/x", 0, 0, 0o755), "capability CAP_FOWNER"},
		{filtered("personality", "EPERM", 0x40000), "personality 0x40000, syscall personality"},
		{filtered("mount", "EPERM"), "syscall mount"},
		{refused("mount", "EPERM", "tmpfs"), "capability CAP_SYS_ADMIN"},
		{filtered("keyctl", "SIGSYS"), "syscall keyctl"},
		{filtered("x86 call 5", "SIGSYS"), "architecture x86"},
		{refused("openat", "EROFS", "/var/log/x"), "path-readonly /var/log/x"},
		{refused("openat", "ENOENT", "/home/joe"), "path-hidden /home/joe"},
		{refused("openat", "ENOENT", "/proc/cpuinfo"), "proc-hidden /proc/cpuinfo, path-hidden /proc/cpuinfo"},
		{refused("openat", "ENOENT", "/proc/1/stat"), "process-hidden /proc/1/stat, path-hidden /proc/1/stat"},
		{refused("openat", "ENOENT", "/proc/self/fd/9"), "path-hidden /proc/self/fd/9"},
		{refused("openat", "EPERM", "/dev/kmsg"), "device /dev/kmsg, file-system /dev/kmsg"},
		{refused("openat", "EACCES", "/root/x"), "path-hidden /root/x, capability CAP_DAC_OVERRIDE, new-privileges p"},
		{
			ofRoot(refused("openat", "EACCES", "/root/x")),
			"path-hidden /root/x, capability CAP_DAC_READ_SEARCH, capability CAP_DAC_OVERRIDE, new-privileges p",
		},
		{
			ofRoot(refused("openat", "EACCES", "/root/x", 0, 0, unix.O_WRONLY)),
			"path-hidden /root/x, capability CAP_DAC_OVERRIDE, new-privileges p",
		},
		{
			ofRoot(refused("statx", "EACCES", "/root/x")),
			"path-hidden /root/x, capability CAP_DAC_READ_SEARCH, capability CAP_DAC_OVERRIDE",
		},
		{refused("unlinkat", "EACCES", "/root/x"), "path-hidden /root/x, capability CAP_DAC_OVERRIDE"},
		// Where the kernel tells what was lacked, nothing else is suspected.
		{
			lacking(refused("openat", "EACCES", "/root/x"), "CAP_DAC_OVERRIDE"),
			"path-hidden /root/x, capability CAP_DAC_OVERRIDE, new-privileges p",
		},
		{lacking(ofRoot(refused("openat", "EACCES", "/x", 0, 0, unix.O_WRONLY)), "CAP_DAC_OVERRIDE",
			"CAP_DAC_READ_SEARCH"), "path-hidden /x, capability CAP_DAC_READ_SEARCH, capability CAP_DAC_OVERRIDE, " +
			"new-privileges p"},
		{lacking(refused("unlinkat", "EACCES", "/root/x")), "path-hidden /root/x"},
		{lacking(refused("bind", "EACCES", "0.0.0.0:80")), "socket-bind 0.0.0.0:80"},
		{lacking(refused("setns", "EPERM", ""), "CAP_SYS_CHROOT"), "capability CAP_SYS_CHROOT"},
		{lacking(refused("reboot", "EPERM", "")), ""},
		{lacking(refused("openat", "EPERM", "/x"), "CAP_FOWNER"), "file-system /x, capability CAP_FOWNER"},
		{lacking(refused("mmap", "EPERM", "", 0, 0, unix.PROT_READ), "CAP_SYS_ADMIN"), ""},
		{refused("write", "EPERM", "/proc/7/gid_map"), "capability CAP_SETGID, capability CAP_SETFCAP"},
		{refused("write", "EPERM", "/srv/x"), ""},
		{refused("bind", "EACCES", "0.0.0.0:80"), "socket-bind 0.0.0.0:80, capability CAP_NET_BIND_SERVICE"},
		{refused("bind", "EROFS", "/run/x.sock"), "path-readonly /run/x.sock"},
		{refused("connect", "ENETUNREACH", "1.2.3.4:53"), "network 1.2.3.4:53"},
		{refused("connect", "ECONNREFUSED", "127.0.0.1:53"), ""},
		{refused("connect", "EPERM", "1.2.3.4:53"), "network 1.2.3.4:53"},
		{refused("connect", "ENOENT", "/run/db.sock"), "path-hidden /run/db.sock"},
		{refused("setgroups", "EPERM", "", 0), "capability CAP_SETGID, new-privileges p"},
		{refused("fchownat", "EINVAL", "/x", 0, 0, 33, 0xffffffff), "user-mapping 33"},
		{refused("renameat", "EBUSY", "/etc/resolv.conf.tmp"), "mount-point /etc/resolv.conf.tmp"},
		{refused("kill", "ESRCH", "", 0, 9), "process-hidden kill"},
		{refused("kill", "EPERM", "", 0, 9), "capability CAP_KILL"},
		{refused("request_key", "ENOKEY", ""), "keyring request_key"},
		{refused("shmget", "ENOENT", ""), "ipc shmget"},
		{refused("mlockall", "ENOMEM", ""), "capability CAP_IPC_LOCK"},
		{lacking(refused("mlock", "ENOMEM", ""), "CAP_IPC_LOCK"), "capability CAP_IPC_LOCK"},
		{lacking(refused("mlock", "ENOMEM", "")), ""}, // the address is wrong
		{refused("mmap", "EAGAIN", "", 0, 0, 0, unix.MAP_LOCKED), "capability CAP_IPC_LOCK"},
		{refused("mmap", "EAGAIN", "", 0, 0, 0, unix.MAP_PRIVATE), ""},
		{refused("ioctl", "EPERM", "", 0, 0x8913), "capability CAP_NET_ADMIN"},
		{refused("clock_settime", "EPERM", "", 0), "capability CAP_SYS_TIME"},
		{refused("openat", "ENOENT", "name"), "path-hidden name"},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.denial, test.denial.Lacked), func(t *testing.T) {
			var got []string
			for _, r := range test.denial.Restrictions() {
				got = append(got, r.String())
			}
			if diff := cmp.Diff(test.want, strings.Join(got, ", ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestHostileName: a service chooses the names of its threads.
func TestHostileName(t *testing.T) {
	d := witness.Denial{Syscall: "openat", Errno: "EACCES", Process: "\nreboot -f\n#"}
	if got, want := d.String(), `\nreboot -f\n#: openat(`; !strings.HasPrefix(got, want) {
		t.Errorf("%q, want it to begin with %q", got, want)
	}
}
