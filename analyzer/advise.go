package analyzer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"temper/internal/directive"
	"temper/internal/unit"
)

// Advice is one assignment that would lower the exposure of a service.
type Advice struct {
	Directive string   `json:"directive"` // such as "PrivateNetwork"
	Value     string   `json:"value"`
	Saves     float64  `json:"saves"` // points of exposure, to the hundredth
	Rows      []string `json:"rows"`  // the JSON fields of the rows that improve
	Then      string   `json:"then"`  // what systemd-analyze would say
	Forbids   string   `json:"forbids"`
	Breaks    string   `json:"breaks"` // what usually breaks
}

// Assignment is "Directive=Value".
func (a Advice) Assignment() string { return a.Directive + "=" + a.Value }

// adviceFile is a drop-in that is read after every other one.
const adviceFile = "/etc/systemd/system/~temper-advice.conf"

// Advise ranks the assignments that would lower the exposure of a service, those that save most first. Each is tried by
// itself, as a last drop-in: what it saves is what the score would fall by. Errors are those of [Score].
func Advise(u *unit.Unit, o Options) ([]Advice, error) {
	before, err := Score(u, o)
	if err != nil {
		return nil, err
	}
	var list []Advice
	for _, c := range fixes(before) {
		a, err := advice(u, o, before, c)
		if err != nil {
			return nil, err
		}
		if a.Saves > 0 {
			list = append(list, a)
		}
	}
	slices.SortStableFunc(list, func(a, b Advice) int {
		switch {
		case a.Saves > b.Saves:
			return -1
		case a.Saves < b.Saves:
			return 1
		}
		return strings.Compare(a.Assignment(), b.Assignment())
	})
	return list, nil
}

// fixes returns the checks of the bad rows of a report that an assignment would mend, one for each assignment.
func fixes(r Report) []check {
	bad := map[string]bool{}
	for _, row := range r.Rows {
		bad[row.JSONField] = row.Set != nil && !*row.Set
	}
	var list []check
	seen := map[string]bool{"": true}
	for _, c := range checks {
		if bad[c.field] && !seen[c.fix] {
			seen[c.fix] = true
			list = append(list, c)
		}
	}
	return list
}

// advice tries what mends one check.
func advice(u *unit.Unit, o Options, before Report, c check) (Advice, error) {
	with, err := u.With(adviceFile, "[Service]\n"+c.fix+"\n")
	if err != nil {
		return Advice{}, fmt.Errorf("try %s: %w", c.fix, err)
	}
	after, err := Score(with, o)
	if errors.Is(err, ErrRefused) {
		return Advice{}, nil
	}
	if err != nil {
		return Advice{}, err
	}
	name, value, _ := strings.Cut(c.fix, "=")
	a := Advice{Directive: name, Value: value, Saves: math.Round((before.Fine()-after.Fine())*100) / 100}
	if d, ok := directive.Lookup(name); ok {
		a.Forbids, a.Breaks = d.Forbids, d.Breaks
	}
	for _, d := range Compare(before, after) {
		if d.Before.Exposure > d.After.Exposure {
			a.Rows = append(a.Rows, d.After.JSONField)
		}
		if d.After.JSONField == c.field {
			a.Then = d.After.Description
		}
	}
	return a, nil
}

// Difference is a row in which two reports differ. A row that one of them does not have is empty.
type Difference struct {
	Before, After Row
}

// Compare returns the rows in which two reports differ in what they say or count, in the order of the second.
func Compare(before, after Report) []Difference {
	rows := map[string]Row{}
	for _, r := range before.Rows {
		rows[r.JSONField] = r
	}
	var list []Difference
	for _, r := range after.Rows {
		b := rows[r.JSONField]
		delete(rows, r.JSONField)
		if b.Description != r.Description || b.badness != r.badness || !sameSet(b.Set, r.Set) {
			list = append(list, Difference{b, r})
		}
	}
	for _, r := range before.Rows { // that the second lacks
		if b, ok := rows[r.JSONField]; ok {
			list = append(list, Difference{Before: b})
		}
	}
	return list
}

func sameSet(a, b *bool) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}
