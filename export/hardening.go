// Package export writes what was proven of a service for people who have no temper: a drop-in, a patch to the vendor's
// unit, tasks for Ansible, a module for NixOS.
//
// Call [New], then one of [Forms]. Every form assigns exactly what the verdict's drop-in assigns and says why, what it
// was tried with, and which systemd version reads it first. None of them has temper's guard: they depend on nothing of
// temper.
package export

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"temper/internal/directive"
	"temper/internal/hint"
	"temper/internal/unit"
	"temper/internal/verdict"
)

// Dropin is the name under which the drop-in is to be installed. It sorts directly before the drop-in that temper's
// generator writes, so that the same assignments come before and after it.
const Dropin = "50-temper-export.conf"

// Forms are the forms of an export, by the word that a user types.
var Forms = map[string]func(Hardening) (string, error){
	"dropin":  func(h Hardening) (string, error) { return h.dropin(), nil },
	"patch":   Hardening.patch,
	"ansible": func(h Hardening) (string, error) { return h.ansible(), nil },
	"nix":     func(h Hardening) (string, error) { return h.nix(), nil },
}

// Hardening is what was proven of one unit.
type Hardening struct {
	Source
	groups []group
}

// Source is what an export is made of.
type Source struct {
	Unit     *unit.Unit // without temper's drop-in
	Fragment string     // the text of its fragment
	Verdict  verdict.Verdict
	Checks   []string // the names of the profile's checks; empty if they are unknown
}

// A group is what the drop-in assigns to one directive, as unit files have it.
type group struct {
	name   string
	row    *directive.Directive // nil if a newer temper knows it
	values []string
}

// New returns an error if the verdict proves nothing about the unit as it is.
func New(from Source) (Hardening, error) {
	v := from.Verdict
	again := "sudo temper prove " + v.Unit
	switch {
	case v.Result != verdict.Proven:
		return Hardening{}, hint.With(fmt.Errorf("%s is %s, not proven", v.Unit, v.Result), again)
	case v.Dropin == "":
		return Hardening{}, fmt.Errorf("%s: the verdict applies nothing: there is nothing to export", v.Unit)
	case v.Fingerprint.Unit != "" && v.Fingerprint.Unit != verdict.Digest(from.Unit):
		return Hardening{}, hint.With(fmt.Errorf("%s has changed since it was proven", v.Unit), again)
	}
	assignments, problems, err := unit.Parse(Dropin, strings.NewReader(v.Dropin))
	if err == nil && len(problems) > 0 {
		err = problems[0]
	}
	if err != nil {
		return Hardening{}, fmt.Errorf("the drop-in in the verdict on %s: %w", v.Unit, err)
	}
	h := Hardening{Source: from}
	for _, a := range assignments {
		i := slices.IndexFunc(h.groups, func(g group) bool { return g.name == a.Name })
		if i < 0 {
			row, _ := directive.Lookup(a.Name)
			h.groups = append(h.groups, group{name: a.Name, row: row})
			i = len(h.groups) - 1
		}
		h.groups[i].values = append(h.groups[i].values, a.Value)
	}
	return h, nil
}

// path is where the drop-in is to be installed.
func (h Hardening) path() string {
	return path.Join("/etc/systemd/system", h.Verdict.Unit+".d", Dropin)
}

// lines are the assignments of a group as unit files have them.
func (g group) lines() []string {
	var lines []string
	for _, value := range g.values {
		lines = append(lines, g.name+"="+value)
	}
	return lines
}

// since is the first systemd version that reads the group; 0 if every version of interest does.
func (g group) since() int {
	if g.row == nil {
		return 0
	}
	return g.row.FirstVersion(g.values)
}

// demotion returns the demotion of a directive, if it was demoted.
func (h Hardening) demotion(name string) (verdict.Demotion, bool) {
	for _, d := range h.Verdict.Demotions {
		if d.Directive == name {
			return d, true
		}
	}
	return verdict.Demotion{}, false
}

// notSet lists the directives that the profile asks for and the drop-in does not have, with the reason of each.
func (h Hardening) notSet() []note {
	var notes []note
	has := func(name string) bool {
		return slices.ContainsFunc(h.groups, func(g group) bool { return g.name == name })
	}
	for _, d := range h.Verdict.Demotions {
		if !has(d.Directive) {
			notes = append(notes, demoted(d))
		}
	}
	for _, l := range h.Verdict.LeftOut {
		if _, ok := h.demotion(l.Directive); !ok {
			notes = append(notes, note{text: l.Directive + "=: " + l.Reason})
		}
	}
	return notes
}
