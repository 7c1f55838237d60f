package unit_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/internal/unit"
)

// FuzzParse holds that reading never fails in another way than by a Problem, that lines are where they are said to be,
// and that what was read, written and read again is the same.
func FuzzParse(f *testing.F) {
	for _, text := range oddFiles {
		if len(text) < 1<<12 {
			f.Add(text)
		}
	}
	for _, a := range archives(f) {
		for _, file := range a.Files {
			f.Add(string(file.Data))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, problems, err := unit.Parse("f", strings.NewReader(text))
		if _, ok := errors.AsType[unit.Problem](err); err != nil && !ok {
			t.Fatalf("%T: %v", err, err)
		}
		lines := 1 + strings.Count(text, "\n") + strings.Count(text, "\r") + strings.Count(text, "\x00")
		last := 0
		for _, a := range first {
			if a.Pos.Line < max(last, 1) || a.Pos.Line > lines {
				t.Fatalf("%v is at line %d, after %d of %d", a, a.Pos.Line, last, lines)
			}
			last = a.Pos.Line
			if a.Name == "" || strings.Trim(a.Name, " \t\r\n") != a.Name ||
				strings.Trim(a.Value, " \t\r\n") != a.Value {
				t.Fatalf("blanks: %q=%q", a.Name, a.Value)
			}
		}
		for _, p := range problems {
			if p.Pos.Line < 1 || p.Pos.Line > lines || p.Message == "" {
				t.Fatalf("%v in %d lines", p, lines)
			}
		}
		// A byte order mark lets a name begin as nothing else can.
		odd := func(a unit.Assignment) bool {
			return strings.HasPrefix(a.Name, "\uFEFF") || a.Name[0] == '#' || a.Name[0] == ';'
		}
		if slices.ContainsFunc(first, odd) {
			return
		}
		second, problems, err := unit.Parse("f", strings.NewReader(unit.Text(first)))
		if err != nil || len(problems) > 0 {
			t.Fatalf("%v, %v in:\n%q", err, problems, unit.Text(first))
		}
		same := func(a, b unit.Assignment) bool {
			return a.Section == b.Section && a.Name == b.Name && a.Value == b.Value
		}
		if !slices.EqualFunc(first, second, same) {
			t.Fatalf("(-first +second):\n%s\nof:\n%q", cmp.Diff(first, second, placeless, noNilSlice), unit.Text(first))
		}
	})
}

// FuzzWords holds that words do not come out of nothing, and that one more word is one more word.
func FuzzWords(f *testing.F) {
	for _, list := range lists {
		f.Add(list)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got, err := unit.Words(value)
		total := 0
		for _, w := range got {
			total += len(w)
		}
		if total > len(value) || len(got) > len(value) {
			t.Fatalf("%q makes %q", value, got)
		}
		more, moreErr := unit.Words(value + ` "x y"`)
		if err == nil && (moreErr != nil || !slices.Equal(more, append(got, "x y"))) {
			t.Fatalf("%q and a word: %q, %v", value, more, moreErr)
		}
		before, beforeErr := unit.Words("x " + value)
		if (err == nil) != (beforeErr == nil) || !slices.Equal(before, append([]string{"x"}, got...)) {
			t.Fatalf("a word and %q: %q, %v", value, before, beforeErr)
		}
	})
}
