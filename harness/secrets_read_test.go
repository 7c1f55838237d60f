package harness

import (
	"slices"
	"strings"
	"testing"

	"temper/generator"
	"temper/internal/directive"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

// TestSecretOfOthers: a service that reads a secret of another service keeps its access to that secret, but to no other
// one, and the demotion says whose secret it is.
func TestSecretOfOthers(t *testing.T) {
	d, _ := directive.Lookup("InaccessiblePaths")
	secrets := []profiles.Secret{
		{Path: "/etc/keys", Profile: "web"},
		{Path: "/etc/vault", Profile: generator.SettingsFile},
	}
	u := &unit.Unit{Name: "a.service", ID: "a.service"}
	in := generator.Input{Unit: u, Profile: &profiles.Profile{Name: "all"}, Version: 257, Secrets: secrets}
	want := generator.NewPlan(in).Items[0].Want
	down := []verdict.Demotion{{
		Directive: d.Name, From: verdict.Join(want),
		To: verdict.Join(d.Except(want, []string{"/etc/keys"}, in.Version)), Reason: "needed",
	}}
	got := nameSecrets(down, secrets)[0]
	if got.Reason != "needed; it reads /etc/keys, a secret of web" || got.To != "/etc/vault" {
		t.Errorf("%q, down to %q", got.Reason, got.To)
	}
	in.Demotions = []verdict.Demotion{got}
	if lines := generator.NewPlan(in).Items[0].Lines; !slices.Equal(lines, []string{"-/etc/vault"}) {
		t.Errorf("what is left hidden: %q", lines)
	}
	down[0].To = verdict.Off
	off := nameSecrets(down, secrets)[0]
	if !strings.Contains(off.Reason, "/etc/keys, a secret of web, and /etc/vault, a secret of "+
		generator.SettingsFile) {
		t.Errorf("%q", off.Reason)
	}
}
