package generator_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/generator"
	"temper/internal/host"
	"temper/internal/verdict"
)

// Who decided, and where, is said with file and line.
func TestAdministratorWins(t *testing.T) {
	g, problems, err := generator.New(host.At("testdata/tree/18-administrator"), "")
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	u, err := g.Units.Load("web.service")
	if err != nil {
		t.Fatal(err)
	}
	d, err := g.Decide(u)
	if err != nil {
		t.Fatal(err)
	}
	want := []verdict.LeftOut{
		{Directive: "ProtectSystem", Reason: `/etc/systemd/system/web.service.d/override.conf:2: the administrator sets "no"`},
		{Directive: "ReadWritePaths", Reason: `/run/systemd/system/web.service.d/10-x.conf:2: the administrator sets "/srv"`},
		{Directive: "NoNewPrivileges", Reason: `/usr/lib/systemd/system/web.service.d/90-late.conf:2: is read after temper's drop-in and would undo it`},
	}
	if diff := cmp.Diff(want, d.Plan.LeftOut); diff != "" {
		t.Error(diff)
	}
	if d.Text != "" {
		t.Errorf("writes %s", d.Text)
	}
}
