package survey

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"temper/internal/host"
	"temper/profiles"
	"temper/survey/debian"
)

// TestFromBases: the profile of a service that none names is written where nobody else can have made a link.
func TestFromBases(t *testing.T) {
	set, problems := profiles.Load(host.Root{}, []string{profiles.Builtin})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	scratch := t.TempDir()
	dir := filepath.Join(scratch, "layer")
	l := &debian.Layer{Dir: dir, Tree: filepath.Join(dir, "tree")}
	victim := filepath.Join(scratch, "victim")
	planted := l.Tree + ".profile"
	err := errors.Join(os.MkdirAll(planted, 0o755), os.WriteFile(victim, []byte("as it was"), 0o644),
		os.Symlink(victim, filepath.Join(planted, "bases.toml")))
	if err != nil {
		t.Fatal(err)
	}
	i := &installed{Debian: Debian{Profiles: set, Extends: []string{"base/daemon"}}, layer: l}
	p, err := i.fromBases("web.service")
	if err != nil || !slices.Equal(p.Units, []string{"web.service"}) {
		t.Fatalf("%v, %+v", err, p)
	}
	if text, err := os.ReadFile(victim); err != nil || string(text) != "as it was" {
		t.Errorf("what a link leads to is %q now: %v", text, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left: %v, %v", entries, err)
	}
}
