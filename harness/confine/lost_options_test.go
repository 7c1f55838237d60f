package confine

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"temper/generator"
	"temper/harness/proc"
	"temper/harness/proc/proctest"
	"temper/internal/directive"
)

// TestWeakens: what a mount closes without hardening must be closed with it. The directive that mounts there is at
// fault, and all that mount anything if none is known to mount there.
func TestWeakens(t *testing.T) {
	const tmp, newTmp = "2 1 0:2 / /tmp rw,noexec - tmpfs x rw\n", "2 1 0:7 / /tmp rw - tmpfs x rw\n"
	at := func(option, path string) string { return "takes the mount option " + option + " from " + path }
	for _, tc := range []struct {
		name, without, with, leader, status string
		shared                              bool // the unit without hardening has the mounts of PID 1
		root                                bool // the plan sets another root directory
		want                                map[string]string
	}{
		{name: "the same mounts", without: tmp, with: tmp},
		{name: "noexec", without: tmp, with: newTmp, want: map[string]string{"PrivateTmp": at("noexec", "/tmp")}},
		{
			name: "read-only, by the mount above", without: "3 1 0:3 / /var ro - ext4 x rw\n",
			with: "3 1 0:3 / /var ro - ext4 x rw\n4 3 0:9 / /var/tmp rw - ext4 x rw\n",
			want: map[string]string{"PrivateTmp": at("ro", "/var/tmp")},
		},
		{
			name: "read-only, by the file system", without: "2 1 0:2 / /tmp rw - tmpfs x ro\n", with: newTmp,
			want: map[string]string{"PrivateTmp": at("ro", "/tmp")},
		},
		{name: "what was writable becomes read-only", without: newTmp, with: "2 1 0:2 / /tmp ro - tmpfs x rw\n"},
		{
			name:    "a mount that is covered",
			without: "3 1 0:3 / /var/tmp ro - ext4 x rw\n" + "4 1 0:4 / /var rw - ext4 x rw\n",
		},
		{
			name: "a mount that is gone", without: "3 1 0:3 / /srv ro - ext4 x rw\n", with: "",
			want: map[string]string{"PrivateTmp": at("ro", "/srv"), "InaccessiblePaths": at("ro", "/srv")},
		},
		{name: "a mount that the service had made", without: "3 1 0:3 / /srv ro - ext4 x rw\n", shared: true},
		{
			name: "an inaccessible path", without: tmp,
			with: "2 1 0:9 /systemd/inaccessible/dir /tmp ro - tmpfs x rw\n",
		},
		{name: "a new file system without files", without: tmp, with: "2 1 0:7 / /tmp ro - tmpfs x rw\n"},
		{
			name: "an old file system, read-only", without: tmp, with: "2 1 0:2 / /tmp ro - tmpfs x rw\n",
			want: map[string]string{"PrivateTmp": at("noexec", "/tmp")},
		},
		{
			name: "a new file system in another root directory", root: true,
			without: "2 1 0:2 / /tmp ro,nosuid - tmpfs x rw\n",
			with:    "5 1 0:1 /jail / rw - ext4 x rw\n2 5 0:7 / /tmp rw,nosuid - tmpfs x rw\n",
		},
		{
			name: "a new file system in another root directory where it was noexec", without: tmp, root: true,
			with: "5 1 0:1 /jail / rw - ext4 x rw\n2 5 0:7 / /tmp rw - tmpfs x rw\n",
			want: map[string]string{"PrivateTmp": at("noexec", "/tmp")},
		},
		{
			name: "below what another root directory brings", root: true,
			without: "2 1 0:2 / /run rw - tmpfs x rw\n3 2 0:3 / /run/x ro,noexec - tmpfs x rw\n",
			with:    "5 1 0:1 /jail / rw - ext4 x rw\n2 5 0:7 / /run rw - tmpfs x rw\n",
		},
		{
			name: "what another root directory brings", without: "2 1 0:2 / /run rw,noexec - tmpfs x rw\n", root: true,
			with: "5 1 0:1 /jail / rw - ext4 x rw\n2 5 0:7 / /run rw - tmpfs x rw\n",
			want: map[string]string{"RootDirectory": at("noexec", "/run")},
		},
		{
			name: "a path of another root directory", without: tmp, root: true,
			with: "5 1 0:1 /jail / rw - ext4 x rw\n",
		},
		{
			name: "a new file system in an empty one over /", without: tmp,
			with: "5 1 0:9 / / ro - tmpfs x rw\n2 5 0:7 / /tmp rw - tmpfs x rw\n",
			want: map[string]string{"PrivateTmp": at("noexec", "/tmp")},
		},
		{
			name: "an old file system in another root directory", without: tmp, root: true,
			with: "5 1 0:1 /jail / rw - ext4 x rw\n2 5 0:2 / /tmp rw - tmpfs x rw\n",
			want: map[string]string{"PrivateTmp": at("noexec", "/tmp")},
		},
		{name: "a path that the process no longer sees", without: "3 1 0:3 / /gone ro - ext4 x rw\n"},
		{name: "nosuid", without: "3 1 0:3 / /tmp rw,nosuid - ext4 x rw\n", with: newTmp, want: map[string]string{
			"PrivateTmp": at("nosuid", "/tmp"),
		}},
		{
			name: "nosuid of a process without new privileges", without: "3 1 0:3 / /tmp rw,nosuid - ext4 x rw\n",
			with: newTmp, status: "NoNewPrivs:\t1\n",
		},
		{
			name: "what the container has closed below /proc", without: "3 1 0:3 / /proc/sys ro - proc x rw\n",
			leader: "3 1 0:3 / /proc/sys ro - proc x rw\n",
		},
		{
			name:    "the memory pressure of its own control group",
			without: "3 1 0:3 / /sys/fs/cgroup ro - cgroup2 x rw\n",
			with: "3 1 0:3 / /sys/fs/cgroup ro - cgroup2 x rw\n" +
				"4 3 0:3 /a/memory.pressure /sys/fs/cgroup/a/memory.pressure rw - cgroup2 x rw\n",
		},
		{
			name: "what the unit has closed below /proc", without: "3 1 0:3 / /proc/sys ro - proc x rw\n",
			want: map[string]string{"PrivateTmp": at("ro", "/proc/sys"), "InaccessiblePaths": at("ro", "/proc/sys")},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			process := tree(t, map[string]string{
				"tmp/x": "", "var/tmp/x": "", "srv/x": "", "proc/sys/x": "", "run/x": "",
				"sys/fs/cgroup/a/memory.pressure": "",
			})
			process["mountinfo"], process["status"] = rootMount+tc.with, "Name:\tp\nNSpid:\t7\n"+tc.status
			leader := proctest.Process{"mountinfo": rootMount + tc.leader}
			var plan generator.Plan
			items := [][2]string{{"PrivateTmp", "yes"}, {"InaccessiblePaths", "/srv/x"}, {"NoNewPrivileges", "yes"}}
			if tc.root {
				items = append(items, [2]string{"RootDirectory", "/jail"})
			}
			for _, item := range items {
				d, _ := directive.Lookup(item[0])
				plan.Items = append(plan.Items, generator.Item{Directive: d, Lines: []string{item[1]}})
			}
			unhardened, err := proc.ParseMounts([]byte(rootMount + tc.without))
			if err != nil {
				t.Fatal(err)
			}
			s := Subject{PID: 7, Leader: 1, Version: 257}
			s.Unhardened = Confinement{Mounts: unhardened, OwnMounts: !tc.shared}
			k := fakeKernel{outside: rootMount + tc.with}
			got, err := read(proctest.Dir(t, map[int]proctest.Process{1: leader, 7: process}), k, s, plan)
			if err != nil {
				t.Fatal(err)
			}
			if tc.want == nil {
				tc.want = map[string]string{}
			}
			if diff := gocmp.Diff(tc.want, got.Weakens); diff != "" {
				t.Error(diff)
			}
		})
	}
}
