package observe

import (
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// made is a file that everybody can read.
func made(change ...func(*File)) File {
	f := File{Kind: "file", Mode: 0o644, Owner: "user 0 and group 0", Size: 100, Content: "a", Used: 0o004}
	for _, c := range change {
		c(&f)
	}
	return f
}

func launchWith(files Files) Launch {
	l := NewLaunch()
	l.Files["running"] = files
	return l
}

// TestCompareFiles: a file that all launches without hardening left alike must be left alike, and what wavers between
// them is not compared.
func TestCompareFiles(t *testing.T) {
	mode := func(m fs.FileMode) func(*File) { return func(f *File) { f.Mode = m } }
	used := func(m fs.FileMode) func(*File) { return func(f *File) { f.Used = m } }
	size := func(n int64) func(*File) { return func(f *File) { f.Size, f.Content = n, "" } }
	content := func(c string) func(*File) { return func(f *File) { f.Content = c } }
	owner := func(o string) func(*File) { return func(f *File) { f.Owner = o } }
	kept := func(f *File) { f.Kept, f.Existed = true, true }
	shared := func(f *File) { f.Shared = true }
	socket := func(f *File) { f.Kind = "socket" }
	gone := File{Existed: true}
	one := func(f File) Files { return Files{"/x": f} }
	for name, tc := range map[string]struct {
		had  []Files
		now  Files
		want []string
	}{
		"alike":   {[]Files{one(made())}, one(made()), nil},
		"another": {[]Files{one(made())}, Files{"/x": made(), "/y": made()}, nil},
		"missing": {[]Files{one(made())}, Files{}, []string{"does not make /x, as it does without hardening"}},
		"missing, with other numbers": {
			[]Files{{"/a1": made(), "/a2": made()}},
			Files{"/a7": made()},
			[]string{"does not make /a2, as it does without hardening"},
		},
		"other numbers": {
			[]Files{{"/a1": made(), "/a2": made()}},
			Files{"/a8": made(), "/a9": made()},
			nil,
		},
		"missing once": {[]Files{one(made()), {}}, Files{}, nil},
		"removed":      {[]Files{one(gone)}, Files{}, nil},
		"not removed": {
			[]Files{one(gone)},
			one(made(kept)),
			[]string{"does not remove /x, as it does without hardening"},
		},
		"removed otherwise": {[]Files{{}}, one(gone), []string{"removes /x, which stays without hardening"}},
		"not changed": {
			[]Files{one(made())},
			one(made(kept)),
			[]string{"does not change /x, as it does without hardening"},
		},
		"changed at the first start only": {[]Files{one(made()), one(made(kept))}, one(made(kept)), nil},
		"closed to others": {
			[]Files{one(made())}, one(made(mode(0o600))), []string{"makes /x with mode 0600, without hardening 0644"},
		},
		"a socket closed to who could not connect to it": {
			[]Files{one(made(socket, mode(0o755), used(0o055)))}, one(made(socket, mode(0o750))), nil,
		},
		"a socket closed to others": {
			[]Files{one(made(socket, mode(0o777), used(0o077)))},
			one(made(socket, mode(0o755))),
			[]string{"makes /x with mode 0755, without hardening 0777"},
		},
		"closed to others, who could not reach it": {[]Files{one(made(used(0)))}, one(made(mode(0o600))), nil},
		"a process id closed to others": {
			[]Files{one(made(content(ContentHash([]byte("4711\n")))))},
			one(made(content(ContentHash([]byte("17\n"))), mode(0o600))), nil,
		},
		"closed to its owner": {
			[]Files{one(made(used(0)))},
			one(made(mode(0o444))),
			[]string{"makes /x with mode 0444, without hardening 0644"},
		},
		"without setuid": {
			[]Files{one(made(mode(0o755|fs.ModeSetuid), used(0)))},
			one(made(mode(0o755))),
			[]string{"makes /x with mode 0755, without hardening 4755"},
		},
		"another mode each time": {[]Files{one(made(mode(0o640))), one(made())}, one(made(mode(0o600))), nil},
		"another owner": {
			[]Files{one(made())},
			one(made(owner("user 1 and group 1"))),
			[]string{"gives /x to user 1 and group 1, without hardening to user 0 and group 0"},
		},
		"an owner that systemd chooses": {[]Files{one(made())}, one(made(owner(""))), nil},
		"empty": {
			[]Files{one(made())}, one(made(size(0))), []string{"leaves /x empty, which has content without hardening"},
		},
		"no longer empty": {
			[]Files{one(made(size(0)))}, one(made()), []string{"writes to /x, which stays empty without hardening"},
		},
		"smaller": {[]Files{one(made())}, one(made(size(12))), nil},
		"much smaller": {
			[]Files{one(made(size(800)))},
			one(made(size(99))),
			[]string{"writes 99 bytes to /x, without hardening 800"},
		},
		"other content": {
			[]Files{one(made())},
			one(made(content("b"))),
			[]string{"writes other content to /x than without hardening"},
		},
		"other content each time":  {[]Files{one(made()), one(made(content("c")))}, one(made(content("b"))), nil},
		"a private temporary file": {[]Files{one(made(shared, used(0)))}, Files{}, nil},
		"a temporary file for all": {
			[]Files{one(made(shared))}, Files{}, []string{"does not make /x, as it does without hardening"},
		},
		"another kind": {
			[]Files{one(made())},
			one(made(func(f *File) { f.Kind = "link" })),
			[]string{"makes /x a link, without hardening a file"},
		},
		"a link to what there was": {
			[]Files{one(made())}, one(made(func(f *File) { f.Kind, f.Leads = "link", "file" })), nil,
		},
		"not looked at": {[]Files{one(made())}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var base Baselines
			for _, files := range tc.had {
				base = append(base, launchWith(files))
			}
			if diff := cmp.Diff(tc.want, texts(base.CompareFiles("running", tc.now))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestExpected: a profile says which differences are meant: a file, what is below a directory, a part of a line.
func TestExpected(t *testing.T) {
	base := Baselines{launchWith(Files{"/run/x/a.pid": made(), "/run/y/z/b": made(), "/run/c": made()})}
	l := launchWith(Files{})
	l.AddLine("cannot lock 7 pages: going on", false)
	l.AddLine("cannot write", false)
	l.Expected = []string{"/run/x/*.pid", "/run/y", "cannot lock"}
	want := []string{
		"does not make /run/c, as it does without hardening",
		"logs an error that it does not log without hardening: cannot write",
	}
	if diff := cmp.Diff(want, texts(base.Differences(l))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestContentHash: contents that differ only in words with digits are alike, and in how often they have a line.
func TestContentHash(t *testing.T) {
	if ContentHash([]byte("drift  -17.5\n\xff tmpA1b")) != ContentHash([]byte("drift 4711.25\n\xff 0xc2")) {
		t.Error("other numbers make another content")
	}
	if ContentHash([]byte("pid one")) == ContentHash([]byte("pid two")) {
		t.Error("other words make no other content")
	}
	if ContentHash([]byte("time,value\n1.5,nan\n")) != ContentHash([]byte("time,value\n2.5,nan\n3.5,nan\n")) {
		t.Error("one more measurement makes another content")
	}
}

// TestLines: a new line is an error if its words say so, whatever its priority, and else an advisory. Times and random
// keys do not make a line new.
func TestLines(t *testing.T) {
	base := NewLaunch()
	base.AddLine("Mon Nov 30 08:00:00: ready", false)
	base.AddLine("key SHA256:Zt3WbSAo/VvVvTq5Ew/k7sTEuQz+AqIyMxJx0cI9uPo for root", false)
	for text, want := range map[string]Kind{
		"cpuinfo: failed to parse":            Logged,
		"bind: Address already in use":        NewLine, // another process was first; no sandbox returns that
		"open /x: Read-only file system":      Logged,
		"unable to read, going on":            Logged,
		"going on slowly":                     NewLine,
		"the terror of failsafe cannotations": NewLine,
		"could not get realtime":              Logged,
		"reads /usr/lib/Perl5/Module/Another": NewLine, // a path is no key
	} {
		l := NewLaunch()
		l.AddLine("Tue Dec 1 09:10:11: ready", false)
		l.AddLine("key SHA256:kfjPxcNfrWkqHq+GGeVZ1cCYtnFJXvSLrF7RJ5yBHnQ for root", false)
		l.AddLine(text, false)
		got := Baselines{base}.Differences(l)
		if len(got) != 1 || got[0].Kind != want || got[0].IsAdvisory() != (want == NewLine) {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

// TestCompareMounts: what is mounted or unmounted for everybody without hardening must be so with it.
func TestCompareMounts(t *testing.T) {
	had, now := Snapshot{}, Snapshot{}
	before := map[string]bool{"ext4 at /": true, "tmpfs at /old": true}
	had.AddMounts(before, map[string]bool{"ext4 at /": true, "tmpfs at /new": true})
	now.AddMounts(before, before)
	want := []Difference{
		{
			Kind: Mounted, Path: "/new",
			Text: "does not mount tmpfs at /new where others see it, as it does without hardening",
		},
		{
			Kind: Mounted, Path: "/old",
			Text: "does not unmount tmpfs at /old where others see it, as it does without hardening",
		},
	}
	base := Baselines{{Phases: map[string]Snapshot{"running": had}}}
	if diff := cmp.Diff(want, base.compareMounts("running", now)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := base.compareMounts("running", had); got != nil {
		t.Errorf("the same mounts: %v", got)
	}
}

// TestWork: what a service did for a client is work, and so is a lasting file of a service that ends by itself.
func TestWork(t *testing.T) {
	lasting := func(f *File) { f.Lasting = true }
	l := NewLaunch()
	l.Files["stopped"] = Files{
		"/var/backups/a": made(lasting), "/run/b": made(), "/var/empty": made(lasting, func(f *File) { f.Size = 0 }),
		"/var/kept": made(lasting, func(f *File) { f.Kept = true }), "/var/gone": {},
	}
	l.Served = []string{"a page from tcp 0.0.0.0:80"}
	if diff := cmp.Diff([]string{"a page from tcp 0.0.0.0:80", "writes /var/backups/a"}, l.Work()); diff != "" {
		t.Errorf("a service that ends (-want +got):\n%s", diff)
	}
	l.Phases["running"] = Snapshot{Processes: map[string]bool{"d": true}}
	if diff := cmp.Diff(l.Served, l.Work()); diff != "" {
		t.Errorf("a daemon (-want +got):\n%s", diff)
	}
}

// TestCompareAnswers: an answer that all launches without hardening gave must be given. What wavers does not count, and
// neither does a socket that is not there: that is told by its own name.
func TestCompareAnswers(t *testing.T) {
	answers := func(facts ...string) Launch {
		l := NewLaunch()
		l.Answers = map[string]Facts{"tcp 0.0.0.0:80": {}}
		for i := 0; i < len(facts); i += 2 {
			l.Answers["tcp 0.0.0.0:80"][facts[i]] = facts[i+1]
		}
		return l
	}
	base := Baselines{answers("status", "200 OK", "the type", "a"), answers("status", "200 OK", "the type", "b")}
	want := []string{"tcp 0.0.0.0:80 answers a client, asked for status: 403 Forbidden; without hardening: 200 OK"}
	got := texts(base.Differences(answers("status", "403 Forbidden", "the type", "c")))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := base.Differences(NewLaunch()); got != nil {
		t.Errorf("a socket that is not there: %v", got)
	}
}
