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

// TestSecretOfOthers searches for a service that reads the secret of another: it is not taken from it, the others are,
// and the demotion says whose it is.
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
	got := tellSecrets(down, secrets)[0]
	if got.Reason != "needed; it reads /etc/keys, a secret of web" || got.To != "/etc/vault" {
		t.Errorf("%q, down to %q", got.Reason, got.To)
	}
	in.Demotions = []verdict.Demotion{got}
	if lines := generator.NewPlan(in).Items[0].Lines; !slices.Equal(lines, []string{"-/etc/vault"}) {
		t.Errorf("what is left hidden: %q", lines)
	}
	down[0].To = verdict.Off
	off := tellSecrets(down, secrets)[0]
	if !strings.Contains(off.Reason, "/etc/keys, a secret of web, and /etc/vault, a secret of "+
		generator.SettingsFile) {
		t.Errorf("%q", off.Reason)
	}
}
