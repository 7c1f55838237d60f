package main

import (
	"errors"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"strings"

	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

// The most exposure that a profile may leave without saying so itself.
const (
	limitOfRoot = 3.0
	limitOfUser = 2.0
	// systemd 252 can score that much higher what 257 scores at a limit: 9.6 where nothing is closed, not 9.4.
	scale252 = 0.3
)

// service is one service of one suite.
type service struct {
	suite, tree string // no tree: the suite does not have it
	unit        string
	version     string // of the package that ships the unit
	root        bool   // its main process starts as root
	profile     *profiles.Profile
	verdict     *verdict.Verdict // nil where it could not be tried
}

// absent reports whether the suite does not have the service.
func (s service) absent() bool { return s.tree == "" }

// limit is the most exposure that the service may keep.
func (s service) limit() float64 {
	limit := limitOfUser
	switch {
	case s.profile.Prove.Exposure != 0:
		limit = s.profile.Prove.Exposure
	case s.root:
		limit = limitOfRoot
	}
	if s.suite == "bookworm" {
		limit += scale252
	}
	return math.Round(limit*10) / 10
}

// problems tell what keeps the profile from being shipped.
func (s service) problems() []error {
	fail := func(format string, args ...any) []error {
		return []error{fmt.Errorf("%s on %s: %s", s.unit, s.suite, fmt.Sprintf(format, args...))}
	}
	switch v := s.verdict; {
	case v == nil:
		return fail("there is no verdict")
	case v.Result != verdict.Proven:
		return fail("%s: %s", v.Result, v.Reason)
	case len(v.Demotions) > 0:
		d := v.Demotions[0]
		return fail(
			"%d demotions, such as %s= to %s: what breaks belongs into the profile",
			len(v.Demotions),
			d.Directive,
			d.To,
		)
	case v.Exposure.After > s.limit():
		return fail(
			"exposure %.1f, want %.1f at most, or exposure under [prove] and a comment that says which need forbids it",
			v.Exposure.After,
			s.limit(),
		)
	case v.Exposure.After > v.Exposure.Before:
		return fail("exposure %.1f, was %.1f", v.Exposure.After, v.Exposure.Before)
	}
	return nil
}

// runsAsRoot reports whether the main process of a unit starts as root.
func runsAsRoot(u *unit.Unit) bool {
	if a, ok := u.Last("Service", "DynamicUser"); ok {
		if yes, _ := unit.Bool(a.Value); yes {
			return false
		}
	}
	if a, ok := u.Last("Service", "ExecStart"); ok { // systemd.service(5): with full privileges whatever User= says
		if rest := strings.TrimLeft(a.Value, "@-:|"); strings.HasPrefix(rest, "!") || strings.HasPrefix(rest, "+") {
			return true
		}
	}
	a, ok := u.Last("Service", "User")
	return !ok || a.Value == "" || a.Value == "root" || a.Value == "0"
}

// startsNothing reports whether a unit only stands for others: postfix.service of Debian 12, and postgresql.service.
func startsNothing(u *unit.Unit) bool {
	a, _ := u.Last("Service", "ExecStart")
	return a.Value == "/bin/true"
}

// version is that of the package that ships a unit.
func version(tree string, u *unit.Unit) string {
	name, err := query(tree, "--search", "*/systemd/system/"+filepath.Base(u.Fragment))
	if err != nil {
		return "-"
	}
	name, _, _ = strings.Cut(name, ":")
	full, err := query(tree, "--show", "--showformat=${Version}", name)
	if err != nil {
		return "-"
	}
	return full
}

func query(tree string, args ...string) (string, error) {
	out, err := exec.Command("dpkg-query",
		append([]string{"--admindir", filepath.Join(tree, "var/lib/dpkg")}, args...)...).
		Output()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("dpkg-query: %s", e.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}
