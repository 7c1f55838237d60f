package trial_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"temper/harness/place"
	"temper/harness/trial"
	"temper/internal/testroot"
)

// TestSystemdServiceLog: of a long log, the last messages and the earlier errors are read, each once. An empty log is
// no error, and a journal that cannot be read is one.
func TestSystemdServiceLog(t *testing.T) {
	for tree := range testroot.Versions {
		t.Run(tree, func(t *testing.T) { readsJournal(t, boot(t, tree)) })
	}
}

// printed is a system whose journalctl prints something.
type printed string

func (p printed) Stream(_ context.Context, _ []string, read func(io.Reader) error) (int, string, error) {
	return 0, "", read(strings.NewReader(string(p)))
}

// TestServiceLogCuts: of a long message only the beginning is kept, which says so.
func TestServiceLogCuts(t *testing.T) {
	long := strings.Repeat("x", 48<<10)
	entries := `{"MESSAGE": "` + long + `"}` + "\n" + `{"MESSAGE": "short"}` + "\n"
	got, err := trial.ServiceLog(t.Context(), printed(entries), "a", time.Now())
	if err != nil || len(got) != 2 || got[0] != "short" || len(got[1]) != 4<<10 ||
		!strings.HasSuffix(got[1], "xx (cut)") {
		t.Errorf("%d messages of %.60q, %v", len(got), got, err)
	}
}

func readsJournal(t *testing.T, where *place.Place) {
	begin := time.Now()
	loud := "echo '<3>an error, then much'; text=$(printf %08000d 0); for i in $(seq 1100); do echo $text$i; done; " +
		"echo '<3>an error at the end'; " +
		// The sender must live until journald has read to which service it belongs.
		`perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => "/run/systemd/journal/socket")->send("MESSAGE=twice\nMESSAGE=as urgent\n` +
		`PRIORITY=6\nPRIORITY=5\n") or die; system "journalctl --sync"'; echo the end`
	r, err := where.Run(t.Context(), place.Command{Args: []string{
		"systemd-run", "--quiet", "--wait", "--unit=loud",
		"sh", "-c", loud,
	}})
	if err != nil || r.Status != 0 {
		t.Fatal(r, err)
	}
	for _, name := range []string{"loud.service", "lou*.service"} {
		got, err := trial.ServiceLog(t.Context(), where, name, begin)
		if err != nil {
			t.Error(err)
		}
		for _, message := range []string{"an error, then much", "an error at the end", "twice\nas urgent", "the end"} {
			if n := len(slices.DeleteFunc(slices.Clone(got), func(m string) bool { return m != message })); n != 1 {
				t.Errorf("%s: of %d messages %q is there %d times", name, len(got), message, n)
			}
		}
	}
	for _, name := range []string{"quiet.service", "quiet*.service"} {
		if got, err := trial.ServiceLog(t.Context(), where, name, begin); err != nil || len(got) > 0 {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if err := where.WriteFile("/usr/local/bin/journalctl", []byte("#!/bin/sh\nexit 7\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := trial.ServiceLog(t.Context(), where, "loud.service", begin); err == nil {
		t.Errorf("no error, but %d messages", len(got))
	}
}

// boot boots a copy of a Debian tree.
func boot(t *testing.T, tree string) *place.Place {
	t.Helper()
	where, err := place.Container(t.Context(), place.Options{Image: testroot.Path(t, tree)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := where.Close(); err != nil {
			t.Error(err)
		}
	})
	return where
}
