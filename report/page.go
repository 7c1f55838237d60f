package report

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"temper/internal/verdict"
	"temper/survey/results"
)

// Content is what a page shows.
type Content struct {
	Title    string
	Made     time.Time
	Packages []results.Package
	Units    []results.Unit
}

// Shared returns the content without what services logged or answered, so that it may be published.
func (c Content) Shared() Content {
	c.Packages, c.Units = slices.Clone(c.Packages), slices.Clone(c.Units)
	for i := range c.Packages {
		c.Packages[i] = c.Packages[i].Shared()
	}
	for i := range c.Units {
		c.Units[i] = c.Units[i].Shared()
	}
	return c
}

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"points":    func(e float64) string { return fmt.Sprintf("%.1f", e) },
	"bar":       bar,
	"share":     shareBar,
	"histogram": histogram,
	"short":     func(unit string) string { return strings.TrimSuffix(unit, ".service") },
	"oneLine":   func(s string) string { return strings.ReplaceAll(s, "\n", "; ") },
	"date":      func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") },
}).Parse(pageText))

// page is what the template reads.
type page struct {
	Content
	Summary
	Working    []row
	NotWorking []results.Unit
	Columns    []string // directives of the matrix
}

// row is a service of the matrix.
type row struct {
	results.Unit
	Cells []cell
	Next  string // what a person can do
}

// A cell says what became of a directive.
type cell struct{ Class, Mark, Text string }

var cells = map[Fate]cell{
	NotTried: {"none", "·", "not tried"},
	Kept:     {"kept", "✓", "kept"},
	Weaker:   {"weaker", "▽", "weaker"},
	Off:      {"off", "✗", "given up"},
}

// WritePage writes the page.
func WritePage(w io.Writer, c Content) error {
	p := page{Content: c, Summary: Summarize(c.Packages, c.Units)}
	for _, d := range p.Directives {
		p.Columns = append(p.Columns, d.Name)
	}
	for _, u := range c.Units {
		if !u.Works() {
			p.NotWorking = append(p.NotWorking, u)
			continue
		}
		p.Working = append(p.Working, p.row(u))
	}
	slices.SortStableFunc(p.Working, func(a, b row) int {
		return cmp.Or(
			cmp.Compare(b.Verdict.Exposure.After, a.Verdict.Exposure.After),
			strings.Compare(a.Unit.Unit, b.Unit.Unit),
		)
	})
	slices.SortStableFunc(p.NotWorking, func(a, b results.Unit) int {
		return cmp.Or(strings.Compare(a.Outcome, b.Outcome), strings.Compare(a.Unit, b.Unit))
	})
	return pageTemplate.Execute(w, p)
}

func (p page) row(u results.Unit) row {
	r := row{Unit: u}
	became := fates(u.Verdict)
	for _, name := range p.Columns {
		r.Cells = append(r.Cells, cells[became[name]])
	}
	switch {
	case u.Outcome == results.Started:
		r.Next = "nobody used it: add checks to its profile, and prove it again"
	case u.Draft != "":
		r.Next = "no profile names it: read its draft, and make it one"
	case u.Base:
		r.Next = "no profile names it: write one that extends what was tried"
	case len(u.Verdict.Demotions) > 0:
		r.Next = "write what it needs into its profile"
	}
	return r
}

// Counted is how many units had an outcome.
func (p page) Counted(outcome string) int {
	for _, c := range p.Summary.Units {
		if c.Name == outcome {
			return c.N
		}
	}
	return 0
}

// Broken is how many units do not run without hardening.
func (p page) Broken() int { return p.Counted(verdict.BrokenBaseline) }
