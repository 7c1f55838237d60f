package filechanges_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/harness/filechanges"
	"temper/harness/observe"
	"temper/harness/place"
	"temper/internal/host"
)

// A tree is what is below the root of a place: states by path, and the contents of files.
type tree struct {
	t      *testing.T
	root   host.Root
	states map[string]place.FileState
	copied map[string]place.FileState // on the machine that the place is a copy of
	err    error
}

const (
	users = "root:x:0:0::/:/bin/sh\nweb:x:33:33::/:/bin/sh\nmail:x:8:8::/:/bin/sh\nshort:1\n"
	group = "root:x:0:\nweb:x:33:\nmail:x:8:\nreaders:x:50:web,mail\nown:x:51:web\n"
)

func newTree(t *testing.T) *tree {
	none := map[string]place.FileState{}
	tr := &tree{t: t, root: host.At(t.TempDir()), states: maps.Clone(none), copied: none}
	for _, dir := range []string{"/etc", "/srv", "/var", "/var/log", "/home"} {
		tr.mkdir(dir, 0o755)
	}
	tr.mkdir("/tmp", fs.ModeSticky|0o777)
	tr.mkdir("/home/private", 0o700)
	tr.write("/etc/passwd", users, 0o644)
	tr.write("/etc/group", group, 0o644)
	return tr
}

func (tr *tree) Root() host.Root { return tr.root }
func (tr *tree) FileStates() (map[string]place.FileState, error) {
	return maps.Clone(tr.states), tr.err
}
func (tr *tree) FileState(name string) place.FileState       { return tr.states[name] }
func (tr *tree) CopiedFileState(name string) place.FileState { return tr.copied[name] }

func (tr *tree) mkdir(name string, mode fs.FileMode) {
	tr.states[name] = place.FileState{Exists: true, Mode: fs.ModeDir | mode}
	if err := os.MkdirAll(tr.root.Dir()+name, 0o755); err != nil {
		tr.t.Fatal(err)
	}
}

// write writes a file of root. The time of its last change is that of its content.
func (tr *tree) write(name, content string, mode fs.FileMode) {
	tr.states[name] = place.FileState{
		Exists: true, Mode: mode, Size: int64(len(content)), Modified: time.Unix(int64(len(content)), 0),
	}
	if err := os.WriteFile(tr.root.Dir()+name, []byte(content), 0o600); err != nil {
		tr.t.Fatal(err)
	}
}

func (tr *tree) own(name string, user, group uint32) {
	s := tr.states[name]
	s.User, s.Group = user, group
	tr.states[name] = s
}

func (tr *tree) remove(name string) {
	delete(tr.states, name)
	if err := os.Remove(tr.root.Dir() + name); err != nil {
		tr.t.Fatal(err)
	}
}

// TestChanges: what a launch makes, changes and removes is found, and what it leaves alone only where other launches
// have changed it.
func TestChanges(t *testing.T) {
	tr := newTree(t)
	tr.write("/srv/changed", "old", 0o644)
	tr.write("/srv/removed", "old", 0o644)
	tr.write("/srv/kept", "old", 0o644)
	tr.write("/srv/asked", "old", 0o644)
	tr.copied["/etc/of-machine"] = place.FileState{Exists: true, Mode: 0o644, Size: 3}
	r := filechanges.NewRecorder(tr)
	tr.write("/srv/changed", "much newer", 0o600)
	tr.remove("/srv/removed")
	tr.states["/etc/of-machine"] = place.FileState{} // it was removed
	tr.write("/srv/made", "42 lines", 0o640)
	tr.own("/srv/made", 33, 50)
	tr.write("/tmp/made", "", 0o600)
	tr.own("/tmp/made", 61200, 61200)
	tr.mkdir("/srv/dir", fs.ModeSetgid|0o755)
	tr.write("/srv/of-mail", "its own service has made it", 0o644)
	tr.own("/srv/of-mail", 8, 8)

	all := func(f observe.File) observe.File { f.Content = ""; return f }
	files := r.Changes([]string{"/srv/asked", "/srv/never"}, map[uint32]bool{8: true})
	want := observe.Files{
		"/srv/changed": {
			Kind: "file", Mode: 0o600, Owner: "user 0 and group 0", Size: 10, Lasting: true, Existed: true,
		},
		"/srv/removed":    {Lasting: true, Existed: true},
		"/etc/of-machine": {Lasting: true, Existed: true},
		"/srv/made": {
			Kind: "file", Mode: 0o640, Owner: "user 33 and group 50", Size: 8, Used: 0o040, Lasting: true,
		},
		"/tmp/made": {Kind: "file", Mode: 0o600, Shared: true},
		"/srv/dir": {
			Kind: "directory", Mode: fs.ModeSetgid | 0o755, Owner: "user 0 and group 0", Used: 0o005, Lasting: true,
		},
		"/srv/asked": {
			Kind: "file", Mode: 0o644, Owner: "user 0 and group 0", Size: 3, Used: 0o004, Lasting: true,
			Existed: true, Kept: true,
		},
	}
	got := observe.Files{}
	for name, f := range files {
		got[name] = all(f)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if files["/srv/made"].Content != observe.ContentHash([]byte("7 lines")) {
		t.Error("the content is not compared without its numbers")
	}
}

// TestChangesUnknown: where the files of a place cannot be listed, nothing is compared.
func TestChangesUnknown(t *testing.T) {
	for _, atFirst := range []bool{true, false} {
		tr := newTree(t)
		tooMany := errors.New("too many files")
		if atFirst {
			tr.states, tr.err = nil, tooMany
		}
		r := filechanges.NewRecorder(tr)
		tr.err = tooMany
		if got := r.Changes(nil, nil); got != nil {
			t.Errorf("%v", got)
		}
	}
}

// TestContents: a content is compared up to a size, and not in the directory of logs.
func TestContents(t *testing.T) {
	tr := newTree(t)
	r := filechanges.NewRecorder(tr)
	tr.write("/srv/small", "x", 0o644)
	tr.write("/srv/large", strings.Repeat("x", 5<<20), 0o644)
	tr.write("/var/log/x", "x", 0o644)
	var compared []string
	for name, f := range r.Changes(nil, nil) {
		if f.Content != "" {
			compared = append(compared, name)
		}
	}
	if !slices.Equal(compared, []string{"/srv/small"}) {
		t.Errorf("the contents of %v are compared", compared)
	}
}

// TestUsed: permissions count where somebody else than the owner and root can make use of them.
func TestUsed(t *testing.T) {
	for _, tt := range []struct {
		name        string
		mode        fs.FileMode
		user, group uint32
		want        fs.FileMode
	}{
		{"/srv/x", 0o644, 33, 33, 0o004},
		{"/srv/x", 0o600, 33, 33, 0},
		{"/srv/x", 0o640, 33, 33, 0},     // nobody else is in the group
		{"/srv/x", 0o660, 33, 50, 0o060}, // mail is
		{"/srv/x", 0o660, 33, 51, 0},
		{"/srv/x", 0o660, 0, 51, 0o060},
		{"/home/private/x", 0o666, 33, 50, 0}, // nobody can reach it
	} {
		tr := newTree(t)
		r := filechanges.NewRecorder(tr)
		tr.write(tt.name, "x", tt.mode)
		tr.own(tt.name, tt.user, tt.group)
		if got := r.Changes(nil, nil)[tt.name].Used; got != tt.want {
			t.Errorf("%s %v of %d and %d: %v, want %v", tt.name, tt.mode, tt.user, tt.group, got, tt.want)
		}
	}
}
