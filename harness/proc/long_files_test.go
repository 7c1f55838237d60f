package proc_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"temper/harness/proc"
	"temper/harness/proc/proctest"
	"temper/internal/host"
)

// huge is set for a process of this test that has a huge environment.
const huge = "TEMPER_HUGE_ENVIRONMENT"

// TestHugeEnvironment: a process says that gigabytes of memory, which it never touched, are its environment.
func TestHugeEnvironment(t *testing.T) {
	if os.Getenv(huge) != "" {
		claimHugeEnvironment()
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestHugeEnvironment$")
	cmd.Env = append(os.Environ(), huge+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	said, _ := bufio.NewReader(out).ReadString('\n')
	if said == unsupported {
		t.Skip("this kernel has no PR_SET_MM_MAP: CONFIG_CHECKPOINT_RESTORE is off")
	}
	if said != "ready\n" {
		t.Fatalf("the process said %q", said)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	got, err := proc.Machine.Process(cmd.Process.Pid).Environ()
	took := time.Since(begin)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, host.ErrTooLong) || len(got) > 0 {
		t.Errorf("%d variables, %v; want the error that there are too many", len(got), err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 128<<20 || took > 20*time.Second {
		t.Errorf("reading it took %d MiB and %s", used>>20, took)
	}
}

const unsupported = "unsupported\n"

// claimHugeEnvironment tells the kernel that 16 GiB are the environment of this process, says "ready", and stays.
func claimHugeEnvironment() {
	const size = 16 << 30
	at, _, errno := unix.Syscall6(unix.SYS_MMAP, 0, size, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE, ^uintptr(0), 0)
	if errno != 0 {
		fmt.Println("mmap:", errno)
		return
	}
	stat, _ := os.ReadFile("/proc/self/stat")
	f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	field := func(n int) (value uint64) { // numbered as in proc_pid_stat(5)
		_, _ = fmt.Sscan(f[n-3], &value)
		return value
	}
	brk, _, _ := unix.Syscall(unix.SYS_BRK, 0, 0, 0)
	var m []byte // struct prctl_mm_map of linux/prctl.h
	for _, value := range []uint64{
		field(26), field(27), field(45), field(46), field(47), uint64(brk), field(28), field(48), field(49),
		uint64(at), uint64(at) + size, 0,
	} {
		m = binary.NativeEndian.AppendUint64(m, value)
	}
	m = binary.NativeEndian.AppendUint32(m, 0)
	m = binary.NativeEndian.AppendUint32(m, ^uint32(0)) // another executable
	_, _, errno = unix.Syscall6(unix.SYS_PRCTL, unix.PR_SET_MM, unix.PR_SET_MM_MAP, uintptr(unsafe.Pointer(&m[0])),
		uintptr(len(m)), 0, 0)
	switch {
	case errno == unix.EINVAL && !supported():
		fmt.Print(unsupported)
	case errno != 0:
		fmt.Println("prctl:", errno)
	default:
		fmt.Println("ready")
		time.Sleep(time.Minute)
	}
}

// supported reports whether the kernel has PR_SET_MM_MAP.
func supported() bool {
	var size uint32
	_, _, errno := unix.Syscall6(unix.SYS_PRCTL, unix.PR_SET_MM, unix.PR_SET_MM_MAP_SIZE,
		uintptr(unsafe.Pointer(&size)), 0, 0, 0)
	return errno == 0
}

// TestLongFiles: mounts whose text would fill memory are an error. A line of any length, such as that with the groups
// of a process, hides nothing that follows it.
func TestLongFiles(t *testing.T) {
	dir := proctest.Dir(t, map[int]proctest.Process{
		1: {},
		2: {"status": "Groups:\t" + strings.Repeat("1234567890 ", 1<<16) + "\nNSpid:\t2\t1\n"},
	})
	if err := os.Truncate(filepath.Join(string(dir), "1/mountinfo"), 64<<20+1); err != nil {
		t.Fatal(err)
	}
	nothing := func() ([]byte, error) { return nil, nil }
	if got, err := dir.Process(1).Mounts(nothing); !errors.Is(err, host.ErrTooLong) {
		t.Errorf("%d mounts, %v", len(got), err)
	}
	if got := dir.Process(2).Status()["NSpid"]; got != "2\t1" {
		t.Errorf("after a long line the status has NSpid %q", got)
	}
}
