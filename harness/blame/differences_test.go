package blame_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/harness/blame"
	"temper/harness/observe"
	"temper/harness/witness"
)

// TestCausesDifferences: what differs at a path from the launches without hardening is blamed on the directives that
// change that path.
func TestCausesDifferences(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"/srv/web", "/tmp", "/mnt"} {
		if err := os.MkdirAll(root+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	in := input(
		set("ProtectSystem", "strict"), set("PrivateTmp", "yes"), set("UMask", "0077"), set("NoNewPrivileges", "yes"),
		set("ProtectKernelLogs", "yes"),
	)
	service := blame.NewService(in, files{root: root})
	for _, tc := range []struct {
		difference observe.Difference
		want       []string
	}{
		{observe.Difference{Kind: observe.FileMissing, Path: "/srv/web/state"}, []string{"ReadWritePaths: /srv/web"}},
		{observe.Difference{Kind: observe.FileMissing, Path: "/tmp/x"}, []string{"PrivateTmp"}},
		{observe.Difference{Kind: observe.FileMode, Path: "/srv/web/state"}, []string{"UMask"}},
		{observe.Difference{Kind: observe.FileContent, Path: "/srv/web/state"}, nil},
		{
			observe.Difference{Kind: observe.Mounted, Path: "/mnt"},
			[]string{"ProtectSystem", "PrivateTmp", "ProtectKernelLogs"},
		},
		{observe.Difference{Kind: observe.NewLine}, nil},
	} {
		seen := blame.Seen{Differences: []observe.Difference{tc.difference}}
		if diff := cmp.Diff(tc.want, brief(service.Causes(seen, applied(in)))); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tc.difference, diff)
		}
	}
}

// TestExplains: a refusal explains the line that has its error, and the file that it is about, but no other content.
func TestExplains(t *testing.T) {
	refused := witness.Record{Denials: []witness.Denial{
		{Syscall: "mkdir", Errno: "EROFS", Path: "/srv/web/new"}, {Syscall: "personality", Errno: "EPERM"},
	}}
	for _, tt := range []struct {
		d    observe.Difference
		want bool
	}{
		{observe.Difference{Kind: observe.Logged, Line: "personality: Operation not permitted"}, true},
		{observe.Difference{Kind: observe.Logged, Line: "mkdir: read-only file system"}, true},
		{observe.Difference{Kind: observe.Logged, Line: "lost a connection: failed"}, false},
		{observe.Difference{Kind: observe.FileMissing, Path: "/srv/web/new/x"}, true},
		{observe.Difference{Kind: observe.FileUnwritten, Path: "/srv/web/new"}, true},
		{observe.Difference{Kind: observe.FileContent, Path: "/srv/web/new"}, false},
		{observe.Difference{Kind: observe.FileMissing, Path: "/srv/web/other"}, false},
		{observe.Difference{Kind: observe.Answered, Text: "tcp 0.0.0.0:80 answers nothing"}, false},
	} {
		if got := blame.Explains(refused, tt.d); got != tt.want {
			t.Errorf("%+v: %v, want %v", tt.d, got, tt.want)
		}
	}
}
