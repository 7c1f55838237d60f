package draft_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"temper/draft"
	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/host"
	"temper/internal/testroot"
	"temper/internal/verdict"
	"temper/needs"
	"temper/profiles"
)

// TestSystemdDraft drafts profiles under a real systemd. A service with three needs takes few launches, and
// gets an exception for each of them and none that it does not need; one that has a user may write what that user owns.
// Nothing is drafted for one that does not run, or
// that a profile is about.
func TestSystemdDraft(t *testing.T) {
	image := testroot.Path(t, "trixie")
	trap := filepath.Join(t.TempDir(), "trap")
	build := exec.Command("go", "build", "-o", trap, "../testdata/trap")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	program, err := os.ReadFile(trap)
	if err != nil {
		t.Fatal(err)
	}
	unit := func(name, line string) place.File {
		return place.File{Name: "/etc/systemd/system/" + name, Data: []byte("[Service]\n" + line + "\n")}
	}
	open := func(ctx context.Context) (*place.Place, error) {
		return place.Container(ctx, place.Options{Image: image, Files: []place.File{
			{Name: "/usr/local/bin/trap", Data: program, Mode: 0o755},
			{Name: "/srv/trap/.keep"},
			unit("needs.service", "ExecStart=/usr/local/bin/trap write=/srv/trap low-port=81 become=33 "+
				"listen=127.0.0.1:7777 listen=/srv/trap/v2.sock"),
			unit("owns.service", "User=redis\nExecStartPre=+/bin/chown redis /etc/own\nExecStart=/usr/local/bin/trap"),
			{Name: "/etc/own/conf"},
			{Name: "/etc/own.conf"},
			{Name: "/srv/own/.keep"},
			{Name: "/srv/other/.keep"},
			unit("views.service", "ExecStart=/bin/sh -c 'cat /etc/own/conf /etc/own.conf >/srv/own/copy && "+
				"exec sleep infinity'"),
			unit("session.service", "ExecStart=/usr/bin/su --shell /bin/sh --command 'exec sleep infinity' nobody"),
			unit("fails.service", "ExecStart=/bin/false"),
			unit("named.service", "ExecStart=/bin/sleep infinity"),
		}})
	}
	set, problems := profiles.Load(host.Root{}, []string{profiles.Builtin})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	view := false
	attempt := func(t *testing.T, name string, set *profiles.Set) (draft.Draft, error) {
		return draft.Make(t.Context(), draft.Options{
			Unit: name, Profiles: set, Open: open, Observed: needs.Record{Unit: name},
			Progress: func(text string) { t.Log(text) }, View: view,
		})
	}
	t.Run("three needs", func(t *testing.T) {
		d, err := attempt(t, "needs.service", set)
		if err != nil {
			t.Fatalf("%v\nhint: %s", err, hint.Of(err))
		}
		var directives []string
		for _, e := range d.Exceptions {
			directives = append(directives, e.Directive)
		}
		for _, want := range []string{"ReadWritePaths", "CapabilityBoundingSet", "PrivateUsers", "SystemCallFilter"} {
			if !slices.Contains(directives, want) {
				t.Errorf("there is no exception from %s", want)
			}
		}
		for _, other := range []string{"ProtectHome", "PrivateTmp", "MemoryDenyWriteExecute"} {
			if slices.Contains(directives, other) {
				t.Errorf("there is an exception from %s, which it does not need", other)
			}
		}
		for _, want := range []string{"accepts connections at port 7777", "accepts connections at /srv/trap/v2.sock"} {
			if !slices.Contains(d.Checks, want) {
				t.Errorf("no check %q in %q", want, d.Checks)
			}
		}
		const most = 6
		if d.Launches > most || d.Exposure.After >= d.Exposure.Before {
			t.Errorf("%d launches, exposure %+v", d.Launches, d.Exposure)
		}
		if p, err := profiles.ParseText(d.Profile, d.Text, set); err != nil || !p.Draft || p.Name != "needs" {
			t.Errorf("%+v, %v", p, err)
		}
		if t.Failed() || !strings.Contains(d.Text, "# \"trap\" writes /srv/trap") {
			t.Errorf("the draft:\n%s", d.Text)
		}
	})
	t.Run("a directory of its user", func(t *testing.T) {
		d, err := attempt(t, "owns.service", set)
		if err != nil {
			t.Fatalf("%v\nhint: %s", err, hint.Of(err))
		}
		for _, want := range []string{"# its user owns ", `"-/var/lib/redis"`, `"-/var/log/redis"`, `"-/etc/own"`} {
			if !strings.Contains(d.Text, want) {
				t.Errorf("the draft has no %s:\n%s", want, d.Text)
			}
		}
	})
	t.Run("it sees only what it needs", func(t *testing.T) {
		view = true
		defer func() { view = false }()
		d, err := attempt(t, "views.service", set)
		if err != nil {
			t.Fatalf("%v\nhint: %s", err, hint.Of(err))
		}
		for _, want := range []string{
			`"base/view"`, "# \"cat\" sees /etc/own", `BindReadOnlyPaths = ["-/etc/own.conf", "-/etc/own"]`,
			`BindPaths = ["-/srv/own"]`,
		} {
			if !strings.Contains(d.Text, want) {
				t.Errorf("the draft has no %s", want)
			}
		}
		if strings.Contains(d.Text, "ReadWritePaths") {
			t.Error("it opens for writing what it shows writable")
		}
		if t.Failed() || d.Launches > 6 {
			t.Errorf("%d launches, the draft:\n%s", d.Launches, d.Text)
		}
	})
	t.Run("it opens sessions", func(t *testing.T) {
		d, err := attempt(t, "session.service", set)
		if err != nil {
			t.Fatalf("%v\nhint: %s", err, hint.Of(err))
		}
		if !strings.Contains(d.Text, "extends     = [\"base/sessions\"]") || d.Launches > 3 {
			t.Errorf("%d launches, the draft:\n%s", d.Launches, d.Text)
		}
	})
	t.Run("it does not run", func(t *testing.T) {
		d, err := attempt(t, "fails.service", set)
		undecided, ok := errors.AsType[*draft.Undecided](err)
		if !ok || undecided.Verdict.Result != verdict.BrokenBaseline {
			t.Errorf("got %v\n%s", err, d.Text)
		}
	})
	t.Run("it has a profile", func(t *testing.T) {
		p, err := profiles.ParseText("mine", "units = [\"named.service\"]\n[service]\nPrivateTmp = true\n", set)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := attempt(t, "named.service", profiles.SetOf(p)); !errors.Is(err, draft.ErrHasProfile) {
			t.Errorf("got %v\n%s", err, d.Text)
		}
	})
}
