// Package proctest makes directories that read like /proc, for tests.
package proctest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"temper/harness/proc"
)

// A Process is the files of a process, by their names below its directory. A text that begins with "-> " makes a link;
// an empty text removes a file that [Dir] makes by default.
type Process map[string]string

// Dir returns a proc with these processes, by their ids. Each has what every process has: its mounts, its root
// directory, the program "/usr/bin/p", the name "p", the parent 1, and the namespaces of the machine.
func Dir(t testing.TB, processes map[int]Process) proc.Dir {
	t.Helper()
	dir := t.TempDir()
	for pid, own := range processes {
		files := Process{
			"comm": "p\n", "root": "-> /", "exe": "-> /usr/bin/p", "status": fmt.Sprintf("Name:\tp\nNSpid:\t%d\n", pid),
			"stat": Stat(pid, "p", "S", 1, 0), "mountinfo": "1 0 0:1 / / rw - ext4 /dev/sda rw\n",
		}
		for _, kind := range []string{"mnt", "net", "pid", "user", "uts", "ipc", "cgroup"} {
			files["ns/"+kind] = "-> " + kind + ":[1]"
		}
		maps.Copy(files, own)
		for name, text := range files {
			if text != "" {
				write(t, filepath.Join(dir, fmt.Sprint(pid), name), text)
			}
		}
	}
	return proc.Dir(dir)
}

// Stat is the text of the file stat of a process with a name, a state, a parent, and a start time in hundredths of a
// second after the boot.
func Stat(pid int, comm, state string, parent, start int) string {
	return fmt.Sprintf("%d (%s) %s %d%s %d 0\n", pid, comm, state, parent, strings.Repeat(" 0", 17), start)
}

func write(t testing.TB, name, text string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(name), 0o755)
	if err == nil {
		if target, isLink := strings.CutPrefix(text, "-> "); isLink {
			err = os.Symlink(target, name)
		} else {
			err = os.WriteFile(name, []byte(text), 0o600)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}
