package needs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/internal/host"
	"temper/internal/refusal"
	"temper/needs"
)

var day = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func use(kind refusal.Kind, subject string) needs.Need {
	return needs.Need{Kind: kind, Subject: subject, Program: "web", Count: 1}
}

func files(dir string, n int) []needs.Need {
	var list []needs.Need
	for i := range n {
		list = append(list, use(refusal.PathReadOnly, fmt.Sprintf("%s/%d", dir, i)))
	}
	return list
}

// subjects lists the needs as "kind subject count".
func subjects(r needs.Record) []string {
	var list []string
	for _, n := range r.Needs {
		list = append(list, fmt.Sprintf("%s %d", n, n.Count))
	}
	return list
}

func TestAdd(t *testing.T) {
	capability := use(refusal.Capability, "CAP_CHOWN")
	for _, tc := range []struct {
		name  string
		rows  [][]needs.Need // each is one observation
		want  []string
		lost  uint64
		taken string // the need that is accepted before the last row
	}{
		{name: "nothing", rows: [][]needs.Need{nil}},
		{
			name: "the same twice",
			rows: [][]needs.Need{{capability}, {capability, use(refusal.Family, "AF_INET")}},
			want: []string{"capability CAP_CHOWN 2", "family AF_INET 1"},
		},
		{
			name: "few files of a directory stay", rows: [][]needs.Need{files("/srv/web", 16)},
			want: []string{
				"path-readonly /srv/web/0 1", "path-readonly /srv/web/1 1", "path-readonly /srv/web/10 1",
				"path-readonly /srv/web/11 1", "path-readonly /srv/web/12 1", "path-readonly /srv/web/13 1",
				"path-readonly /srv/web/14 1", "path-readonly /srv/web/15 1", "path-readonly /srv/web/2 1",
				"path-readonly /srv/web/3 1", "path-readonly /srv/web/4 1", "path-readonly /srv/web/5 1",
				"path-readonly /srv/web/6 1", "path-readonly /srv/web/7 1", "path-readonly /srv/web/8 1",
				"path-readonly /srv/web/9 1",
			},
		},
		{
			name: "many files of a directory", rows: [][]needs.Need{files("/srv/web", 17), files("/srv/web/below", 2)},
			want: []string{"path-readonly /srv/web/ 19"},
		},
		{
			name: "many directories of a directory",
			rows: [][]needs.Need{func() (all []needs.Need) {
				for i := range 17 {
					all = append(all, files(fmt.Sprintf("/srv/web/%d", i), 17)...)
				}
				return all
			}()},
			want: []string{"path-readonly /srv/web/ 289"},
		},
		{
			name: "an accepted need does not grow, and what it covers counts for it", taken: "/srv/web/3",
			rows: [][]needs.Need{files("/srv/web", 17)[3:4], files("/srv/web", 30)},
			want: []string{"path-readonly /srv/web/ 29", "path-readonly /srv/web/3 2"},
		},
		{
			name: "an accepted directory", taken: "/srv/web/",
			rows: [][]needs.Need{files("/srv/web", 17), {use(refusal.PathReadOnly, "/srv/web/new")}},
			want: []string{"path-readonly /srv/web/ 18"},
		},
		{
			name: "what cannot stand in a unit file", lost: 4,
			rows: [][]needs.Need{{
				use(refusal.PathReadOnly, "/a\nb"), use(refusal.PathReadOnly, "/\xff"), use(refusal.PathReadOnly, ""),
				use(refusal.PathReadOnly, "/"+strings.Repeat("a", 1<<16)), capability,
			}},
			want: []string{"capability CAP_CHOWN 1"},
		},
		{
			name: "many addresses",
			rows: [][]needs.Need{func() (all []needs.Need) {
				for i := range 17 {
					all = append(all, use(refusal.Network, fmt.Sprintf("192.0.2.%d:80", i)))
				}
				return all
			}()},
			want: []string{"network any 17"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var r needs.Record
			for i, row := range tc.rows {
				if i == len(tc.rows)-1 {
					r.Accept(func(n needs.Need) bool { return n.Subject == tc.taken })
				}
				r.Add(row, 0, day.AddDate(0, 0, i))
			}
			if diff := cmp.Diff(tc.want, subjects(r)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if r.Lost != tc.lost || !r.Since.Equal(day) || !r.Until.Equal(day.AddDate(0, 0, len(tc.rows)-1)) {
				t.Errorf("%d lost, since %s until %s", r.Lost, r.Since, r.Until)
			}
			for _, n := range r.Needs {
				if n.Accepted != (n.Subject == tc.taken) {
					t.Errorf("%s: accepted %v", n, n.Accepted)
				}
			}
		})
	}
}

// TestFoldNeverGivesTooMuch: files of a directory that would give back most of what is taken are never folded.
func TestFoldNeverGivesTooMuch(t *testing.T) {
	var r needs.Record
	r.Add(append(files("/etc", 40), files("", 40)...), 0, day)
	for _, n := range r.Needs {
		if strings.HasSuffix(n.Subject, "/") {
			t.Errorf("folded to %s", n)
		}
	}
	if len(r.Needs) != 80 {
		t.Errorf("%d needs, want 80", len(r.Needs))
	}
}

// TestFlood: a service that makes endless names costs neither memory nor a person's decision.
func TestFlood(t *testing.T) {
	var r needs.Record
	r.Add([]needs.Need{use(refusal.Capability, "CAP_CHOWN")}, 0, day)
	r.Accept(func(needs.Need) bool { return true })
	for i := range 3 {
		var flood []needs.Need
		for j := range 5000 {
			flood = append(flood, use(refusal.PathReadOnly, fmt.Sprintf("/%d-%d", i, j)+strings.Repeat("/x", 20)))
		}
		r.Add(flood, 0, day.AddDate(0, 0, 1+i))
	}
	if len(r.Needs) > 2001 || r.Lost == 0 {
		t.Errorf("%d needs, %d lost", len(r.Needs), r.Lost)
	}
	if got := r.Accepted(); len(got) != 1 || got[0].Subject != "CAP_CHOWN" {
		t.Errorf("accepted are %v", got)
	}
	s := needs.Store{Root: host.At(t.TempDir())}
	for i := range r.Needs {
		r.Needs[i].Subject += strings.Repeat("y", 700)
	}
	r.Unit = "web.service"
	if _, err := s.Update(r.Unit, func(stored *needs.Record) { *stored = r }); err != nil {
		t.Fatal(err)
	}
	again, err := s.Get("web.service")
	if err != nil || len(again.Accepted()) != 1 || len(again.Needs) < 500 {
		t.Errorf("%v, %d needs, %v accepted", err, len(again.Needs), again.Accepted())
	}
}

func TestStore(t *testing.T) {
	dir := t.TempDir()
	s := needs.Store{Root: host.At(dir)}
	r, err := s.Get("web.service")
	if err != nil || r.Observed() {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, name := range []string{"CAP_CHOWN", "CAP_KILL"} { // each on top of the one before
		r, err = s.Update("web.service", func(r *needs.Record) {
			r.Add([]needs.Need{use(refusal.Capability, name)}, 3, day)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if r.Lost != 6 || len(r.Needs) != 2 {
		t.Errorf("%+v", r)
	}
	got, err := s.Get("web.service")
	if diff := cmp.Diff(r, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	info, err := os.Stat(filepath.Join(dir, needs.Dir, "web.service.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if got := s.Units(); len(got) != 1 || got[0] != "web.service" {
		t.Errorf("observed are %q", got)
	}
	if err := s.Forget("web.service"); err != nil {
		t.Fatal(err)
	}
	if err := s.Forget("web.service"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("forgot again: %v", err)
	}
	for _, name := range []string{"", "../../etc/passwd", ".hidden", "a/b.service"} {
		if _, err := s.Get(name); err == nil {
			t.Errorf("%q is taken for a unit", name)
		}
	}
}

// TestMatters: only what a directive could refuse is recorded.
func TestMatters(t *testing.T) {
	for _, tc := range []struct {
		kind    refusal.Kind
		subject string
		made    bool
		want    bool
	}{
		{refusal.PathReadOnly, "/var/log/x", false, true},
		{refusal.PathReadOnly, "/usr/lib/x", true, true},
		{refusal.PathReadOnly, "/dev/null", false, false},
		{refusal.PathReadOnly, "/proc/self/oom_score_adj", false, false},
		{refusal.PathReadOnly, "/proc/sys/kernel/x", false, true},
		{refusal.PathReadOnly, "/sys/fs/cgroup/x", false, true},
		{refusal.PathReadOnly, "relative", false, false},
		{refusal.PathHidden, "/home/x", false, true},
		{refusal.PathHidden, "/home/x", true, true},
		{refusal.PathHidden, "/tmp/x", false, true},
		{refusal.PathHidden, "/tmp/x", true, false},
		{refusal.PathHidden, "/etc/x", false, false},
		{refusal.Syscall, "futex", false, false},
		{refusal.Syscall, "mount", false, true},
		{refusal.Family, "AF_INET", false, true},
		{refusal.Kind("other"), "x", false, false},
	} {
		if got := needs.Matters(tc.kind, tc.subject, tc.made); got != tc.want {
			t.Errorf("%s %s, made %v: %v, want %v", tc.kind, tc.subject, tc.made, got, tc.want)
		}
	}
}

// FuzzRead: any file is read or refused, and what is read can be printed, merged, written and read again.
func FuzzRead(f *testing.F) {
	f.Add(`{"schema":1,"unit":"web.service","since":"2026-03-01T12:00:00Z","until":"2026-03-01T12:00:00Z","lost":0,
		"needs":[{"kind":"path-readonly","subject":"/a/","program":"x","count":1,"first":"2026-03-01T12:00:00Z",
		"last":"2026-03-01T12:00:00Z","accepted":true}]}`)
	f.Add(`{"schema":2}`)
	f.Add(`[]`)
	dir := f.TempDir()
	s := needs.Store{Root: host.At(dir)}
	name := filepath.Join(dir, needs.Dir, "web.service.json")
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := s.Get("web.service")
		if err != nil {
			return
		}
		accepted := len(r.Accepted())
		for _, n := range r.Needs {
			if strings.ContainsFunc(n.Evidence(), func(c rune) bool { return c < ' ' }) {
				t.Errorf("%q", n.Evidence())
			}
		}
		if _, err := s.Update("web.service", func(r *needs.Record) { r.Add(files("/srv/x", 20), 0, day) }); err != nil {
			t.Fatal(err)
		}
		if again, err := s.Get("web.service"); err != nil || len(again.Accepted()) != accepted {
			t.Errorf("%v, %d accepted, want %d", err, len(again.Accepted()), accepted)
		}
	})
}
