package place_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/testroot"
)

// TestMain lets the test binary stand for a temper that is killed: with TEMPER_HOLD it boots that image ("/" is this
// machine) and does not end.
func TestMain(m *testing.M) {
	image := os.Getenv("TEMPER_HOLD")
	if image == "" {
		os.Exit(m.Run())
	}
	fmt.Println("begin")
	_, err := place.Container(context.Background(),
		place.Options{Image: image, Trusted: os.Getenv("TEMPER_NESTED") != ""})
	fmt.Println("up", err)
	select {}
}

// machine is the state of a machine in which a place could leave something.
type machine struct {
	Mounts, Groups, Runtime []string
}

// readMachine lists mounts and runtime files of containers, and the cgroups that process pid has made.
func readMachine(t *testing.T, pid int) machine {
	t.Helper()
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var m machine
	for line := range strings.Lines(string(data)) {
		// source, or where it is mounted
		if strings.Contains(line, " temper ") || strings.Contains(line, "/run/temper") {
			m.Mounts = append(m.Mounts, line)
		}
	}
	m.Groups = groups(pid)
	for _, dir := range []string{"/run/systemd/nspawn", "/run/systemd/machines", "/var/lib/machines", "/run/temper"} {
		_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, _ error) error {
			if ours.MatchString(path) {
				m.Runtime = append(m.Runtime, path)
			}
			return nil
		})
	}
	return m
}

// ours tells the runtime files of a place from those of other containers, which may come and go meanwhile.
var ours = regexp.MustCompile(`/(temper|[.#]*temper-[a-z0-9]{1,16}(\.lck)?)$`)

// groups are the cgroups of process pid's places, in every hierarchy.
func groups(pid int) []string {
	var found []string
	for _, pattern := range []string{"", "*/", "*/machine.slice/", "machine.slice/"} {
		dirs, _ := filepath.Glob(fmt.Sprintf("/sys/fs/cgroup/%stemper-%d-*", pattern, pid))
		found = append(found, dirs...)
	}
	return found
}

// processes are those in the cgroups, each with its start time so that a new process is not taken for it.
func processes(groups []string) []string {
	var found []string
	for _, dir := range groups {
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.Name() != "cgroup.procs" {
				return nil
			}
			data, _ := os.ReadFile(path)
			for pid := range strings.FieldsSeq(string(data)) {
				if id := identity(pid); id != "" {
					found = append(found, id)
				}
			}
			return nil
		})
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func identity(pid string) string {
	data, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	if fields[0] == "Z" {
		return "" // it has ended, and its parent has not waited for it yet
	}
	return pid + " started at " + fields[19]
}

// alive returns the processes that still run, after it gave them time to end.
func alive(ids []string) []string {
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
			pid, _, _ := strings.Cut(id, " ")
			return identity(pid) != id
		})
		if len(ids) == 0 || time.Now().After(end) {
			return ids
		}
	}
}

// tree describes every file below dir by what changes when it is touched.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st syscall.Stat_t
		if err := syscall.Lstat(path, &st); err != nil {
			return err
		}
		files[path] = fmt.Sprint(st.Ino, st.Mode, st.Uid, st.Gid, st.Size, st.Mtim, st.Ctim)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestSystemdNoTrace(t *testing.T) {
	image := testroot.Path(t, "trixie")
	files, before := tree(t, image), readMachine(t, os.Getpid())
	p := container(t, place.Options{Image: image})
	output(t, p, "useradd -m somebody; rm -r /usr/share/doc /etc/nginx; chmod 600 /etc/passwd; chown -R nobody "+
		"/var/lib; mv /srv /srv2; sysctl -w net.ipv4.ip_forward=1; systemctl start redis-server cron")
	during := processes(groups(os.Getpid()))
	if len(during) < 5 {
		t.Fatalf("only %q in the place's cgroup", during)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if left := alive(during); len(left) > 0 {
		t.Errorf("processes left: %q", left)
	}
	if diff := cmp.Diff(before, readMachine(t, os.Getpid())); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(files, tree(t, image)); diff != "" {
		t.Error(diff)
	}
}

func TestSystemdTwoPlaces(t *testing.T) {
	a := container(t, place.Options{Image: testroot.Path(t, "trixie"), ID: "a"})
	b := container(t, place.Options{Image: testroot.Path(t, "trixie"), ID: "b"})
	output(t, a, "echo a >/etc/which; systemctl start redis-server")
	if got := output(t, b, "cat /etc/which 2>&1; systemctl is-active redis-server || true"); !strings.Contains(got,
		"No such file") || !strings.HasSuffix(got, "inactive\n") {
		t.Errorf("one place sees the other: %s", got)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	output(t, b, "true")
	if _, err := place.Container(t.Context(), place.Options{Image: testroot.Path(t, "trixie"), ID: "b"}); err == nil {
		t.Error("an ID was given out twice")
	}
	output(t, b, "true")
}

func TestSystemdKilled(t *testing.T) {
	testroot.Need(t)
	image := "/"
	if os.Getenv("TEMPER_NESTED") == "" {
		image = testroot.Path(t, "trixie")
	}
	for _, after := range []time.Duration{0, random(50), random(300), random(600), -1} { // -1: once it is up
		t.Run(after.String(), func(t *testing.T) { killAfter(t, image, after) })
	}
}

func random(milliseconds int) time.Duration {
	return time.Duration(rand.IntN(milliseconds)) * time.Millisecond
}

func killAfter(t *testing.T, image string, after time.Duration) {
	before := readMachine(t, 0)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "TEMPER_HOLD="+image)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	if after < 0 {
		lines.Scan()
		if lines.Text() != "up <nil>" {
			t.Errorf("the place did not come up: %s", lines.Text())
		}
	}
	time.Sleep(after)
	during := processes(groups(cmd.Process.Pid))
	if after < 0 && len(during) < 3 {
		t.Errorf("only %q ran in a place that was up", during)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	if left := alive(during); len(left) > 0 {
		t.Errorf("processes outlived the kill: %q", left)
	}
	if err := place.RemoveLeftovers(t.Context()); err != nil {
		t.Error(err)
	}
	if left := groups(cmd.Process.Pid); len(left) > 0 {
		t.Errorf("cgroups outlived RemoveLeftovers: %q", left)
	}
	if diff := cmp.Diff(before, readMachine(t, 0)); diff != "" {
		t.Error(diff)
	}
}

func TestSystemdRemoveLeftoversSparesTheLiving(t *testing.T) {
	p := container(t, place.Options{Image: testroot.Path(t, "bookworm")})
	if err := place.RemoveLeftovers(t.Context()); err != nil {
		t.Error(err)
	}
	output(t, p, "true")
}

func TestSystemdCancelled(t *testing.T) {
	image := testroot.Path(t, "sid")
	before := readMachine(t, os.Getpid())
	for _, after := range []time.Duration{0, 5 * time.Millisecond, random(100), random(400), random(400)} {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(after, cancel)
		p, err := place.Container(ctx, place.Options{Image: image})
		if err == nil { // it was up first, and goes down with its context
			<-p.Done()
			err = errors.Join(p.Close(), context.Canceled)
		}
		if !errors.Is(err, context.Canceled) || hint.Of(err) != "" {
			t.Errorf("after %s: %v", after, err)
		}
		if diff := cmp.Diff(before, readMachine(t, os.Getpid())); diff != "" {
			t.Errorf("after %s: %s", after, diff)
		}
		cancel()
	}
	if left, _ := filepath.Glob("/proc/self/task/*/children"); len(left) > 0 {
		for _, file := range left {
			if data, _ := os.ReadFile(file); len(data) > 0 {
				t.Errorf("children left: %s", data)
			}
		}
	}
}

// systemd as PID 1 treats cgroups as its own, so everything is tried again in a place, on a copy of this machine.
func TestSystemdInside(t *testing.T) {
	testroot.Need(t)
	if os.Getenv("TEMPER_NESTED") != "" {
		t.Skip("this is inside already")
	}
	binary, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	p := container(t, place.Options{
		Trusted: true,
		Files:   []place.File{{Name: "/usr/local/bin/place.test", Data: binary, Mode: 0o755}},
	})
	r, err := p.Run(t.Context(), place.Command{
		Args:    []string{"place.test", "-test.v", "-test.run=^TestSystemd(OwnMachine|Killed|Host)$"},
		Env:     []string{"TEMPER_NESTED=1"},
		Timeout: 40 * time.Second,
	})
	if err != nil || r.Status != 0 || strings.Contains(r.Stdout, "SKIP") || strings.Count(r.Stdout, "\n--- PASS") != 3 {
		t.Errorf("status %d, %v\n%s%s", r.Status, err, r.Stdout, r.Stderr)
	}
	if got := output(t, p, "systemctl list-units --all --no-legend --plain 'temper-*.scope'"); got != "" {
		t.Errorf("scopes left: %s", got)
	}
}

func TestSystemdHost(t *testing.T) {
	testroot.Need(t)
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		p, err := place.Host(t.Context())
		if err == nil || hint.Of(err) == "" {
			t.Errorf("a host without systemd: %v, %v, hint %q", p, err, hint.Of(err))
		}
		return
	}
	p, err := place.Host(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p.Kind() != "host" || p.Leader() != 1 || !p.Root().IsHost() || p.Err() != nil {
		t.Errorf("%+v", p)
	}
	self := strings.TrimSpace(output(t, p, "sed -n s/^0:://p /proc/self/cgroup"))
	if !strings.HasPrefix(self, "/system.slice/temper-run-"+strconv.Itoa(os.Getpid())) {
		t.Errorf("a command ran in %q", self)
	}
	if _, err := os.Stat(p.Cgroup() + "/system.slice/cgroup.procs"); err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
