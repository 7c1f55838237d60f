package proc_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"temper/harness/proc"
)

// escaped is a path as proc_pid_mountinfo(5) writes it.
var escaped = strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`)

// FuzzMounts: any text is parsed or refused. A mount point with any name, which a service can choose, is read unchanged
// and does not affect other mounts.
func FuzzMounts(f *testing.F) {
	f.Add("36 35 98:0 /m /mnt rw,noatime master:1 - ext4 /dev/root rw,errors=continue\n", "/tmp/a b", "ro")
	f.Add("1 2 3:4 / / - - -\n", "/\\040", "rw,x=- ")
	f.Add("", "/é\n1 1 0:1 / / rw - x x rw", "")
	f.Fuzz(func(t *testing.T, text, point, options string) {
		_, _ = proc.ParseMounts([]byte(text))
		if strings.ContainsAny(point+options, "\x00") || strings.ContainsAny(options, " \t\n\r\v\f\\\u0085\u00a0") ||
			options == "" || strings.ToValidUTF8(options, "") != options {
			return
		}
		point = "/" + point
		line := "36 35 0:25 / %s %s shared:1 - tmpfs tmpfs rw,size=1k\n"
		all := fmt.Sprintf(line, escaped.Replace(point), options) + fmt.Sprintf(line, "/other", "ro,noexec")
		mounts, err := proc.ParseMounts([]byte(all))
		if err != nil || len(mounts) != 2 {
			t.Fatalf("%v, %v\n%q", mounts, err, all)
		}
		if got := mounts[0]; got.Point != point || strings.Join(got.Options, ",") != options || got.Device != "0:25" {
			t.Errorf("%+v, want %q with %s", got, point, options)
		}
		if got := mounts[1]; got.Point != "/other" || strings.Join(got.Options, ",") != "ro,noexec" {
			t.Errorf("the other mount is %+v", got)
		}
		best := proc.Covering(mounts, point).Point
		if best != point && best != "/other" {
			t.Errorf("%q lies on %q", point, best)
		}
	})
}

// FuzzProcess: files of proc with any text are read without a panic: services choose their names, arguments and
// sockets.
func FuzzProcess(f *testing.F) {
	f.Add("12 (a) b) R 1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 100 0 0\n", "NSpid:\t12\t1\nName: a\n",
		"0: 00000002 0 10000 0001 01 17 /run/a b\n", "0: 0100007F:0050 00000000:0000 0A 0:0 0:0 0 0 0 17 1\n")
	f.Add(")", ":", "0 0 0 00010000 0 0", "0 7F: 0 0A 0 0 0 0 0 0")
	dir := f.TempDir()
	files := []string{"stat", "status", "net/unix", "net/tcp"}
	if err := os.MkdirAll(filepath.Join(dir, "12/net"), 0o755); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, stat, status, sockets, network string) {
		for i, text := range []string{stat, status, sockets, network} {
			if err := os.WriteFile(filepath.Join(dir, "12", files[i]), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		p := proc.Dir(dir).Process(12)
		_, _, _, _ = p.Stat(), p.Status(), p.Comm(), proc.Dir(dir).Find([]int{12}, 12, 1)
		for link, address := range p.Listeners() {
			if !strings.HasPrefix(link, "socket:[") || !strings.Contains(address, " ") {
				t.Errorf("%q listens on %q", link, address)
			}
		}
	})
}
