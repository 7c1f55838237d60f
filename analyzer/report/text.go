package report

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"temper/analyzer/exposure"
	"temper/internal/plain"
)

// Style says how text is formatted.
type Style struct {
	Color bool // escape sequences for colours, and faces
	Width int  // of the terminal, in columns; 0 is unlimited
}

// Text prints for people.
type Text struct {
	Out   io.Writer
	Style Style
}

// column is one column of a table.
type column struct {
	head  string
	right bool // aligned to the right
	grows bool // is cut if the table is too wide
}

// cell is a text with the colour it is printed in.
type cell struct{ text, color string }

// colours of systemd-analyze.
const (
	red    = "\x1b[0;1;31m"
	yellow = "\x1b[0;1;33m"
	green  = "\x1b[0;1;32m"
	reset  = "\x1b[0m"
)

// levelColors are the colours of the levels; MEDIUM has none.
var levelColors = map[string]string{
	"DANGEROUS": red, "UNSAFE": red, "EXPOSED": yellow, "OK": green, "SAFE": green, "PERFECT": green,
}

// face is how systemd-analyze draws a level.
func face(level string) string {
	for _, l := range exposure.Levels {
		if l.Name == level {
			return l.Face
		}
	}
	return ""
}

// Table prints the [Text.Overview] of units, in their order or, with mostFirst, from the highest exposure to the
// lowest. It keeps no rows of the reports in memory.
func (t Text) Table(entries iter.Seq[Entry], mostFirst bool) error {
	var lines []Entry
	for e := range entries {
		if e.Err == nil {
			e.Report.Rows, e.Report.Ignored = nil, nil
			lines = append(lines, e)
		}
	}
	if mostFirst {
		slices.SortStableFunc(lines, func(x, y Entry) int { return y.Report.Exposure - x.Report.Exposure })
	}
	return t.Overview(lines)
}

// Overview prints a line for each unit: its name, exposure, level and, on a terminal, face. A unit that is over its
// threshold has a note about that.
func (t Text) Overview(entries []Entry) error {
	columns := []column{{head: "UNIT", grows: true}, {head: "EXPOSURE", right: true}, {head: "PREDICATE"}}
	judged := slices.ContainsFunc(entries, func(e Entry) bool { return e.Judgement.Over })
	if t.Style.Color {
		columns = append(columns, column{head: "HAPPY"})
	}
	if judged {
		columns = append(columns, column{head: "POLICY", grows: true})
	}
	var rows [][]cell
	for _, e := range entries {
		if e.Err != nil {
			continue
		}
		level := e.Report.Level
		row := []cell{{text: e.Report.Unit}, {text: exposure.Points(e.Report.Exposure)}, {level, levelColors[level]}}
		if t.Style.Color {
			row = append(row, cell{text: face(level)})
		}
		if judged {
			row = append(row, cell{text: e.Judgement.Text()})
		}
		rows = append(rows, row)
	}
	return t.table(columns, rows)
}

// Details prints every row of one unit, the sum, what systemd ignores of the unit, and what to do next.
func (t Text) Details(e Entry) error {
	columns := []column{
		{head: " "}, {head: "NAME", grows: true}, {head: "DESCRIPTION", grows: true}, {head: "EXPOSURE", right: true},
	}
	var rows [][]cell
	for _, r := range e.Report.Rows {
		mark, color := mark(r)
		rows = append(rows, []cell{{mark, color}, {text: r.Name}, {text: r.Description}, {text: r.Exposure.String()}})
	}
	if err := t.table(columns, rows); err != nil {
		return err
	}
	t.sum(e)
	for _, p := range e.Report.Ignored {
		fmt.Fprintf(t.Out, "  %s\n", plain.Line(p.String()))
	}
	return t.next(e.Next)
}

// AllDetails prints the [Text.Details] of each unit, one after the other.
func (t Text) AllDetails(entries iter.Seq[Entry]) error {
	for e := range entries {
		if e.Err != nil {
			continue
		}
		if err := t.Details(e); err != nil {
			return err
		}
	}
	return nil
}

func (t Text) sum(e Entry) {
	level := e.Report.Level
	sum := t.paint(exposure.Points(e.Report.Exposure)+" "+level, levelColors[level])
	fmt.Fprintf(t.Out, "\n→ Overall exposure level for %s: %s", e.Report.Unit, sum)
	if t.Style.Color {
		fmt.Fprintf(t.Out, " %s", face(level))
	}
	fmt.Fprintln(t.Out)
	if text := e.Judgement.Text(); text != "" {
		fmt.Fprintf(t.Out, "  %s\n", text)
	}
}

// next prints the assignments that would lower the exposure most.
func (t Text) next(list []Next) error {
	if len(list) == 0 {
		return nil
	}
	fmt.Fprintf(t.Out, "\nWhat would gain most, each by itself:\n")
	columns := []column{
		{head: "SAVES", right: true},
		{head: "DIRECTIVE", grows: true},
		{head: "FORBIDS", grows: true},
		{head: "BREAKS", grows: true},
		{head: "TEMPER", grows: true},
	}
	var rows [][]cell
	for _, n := range list {
		rows = append(rows, []cell{
			{text: fmt.Sprintf("%.2f", n.Saves)},
			{text: n.Assignment()},
			{text: n.forbids()},
			{text: n.Breaks},
			{text: n.state()},
		})
	}
	return t.table(columns, rows)
}

// forbids says what a service can no longer do; in the words of systemd if only a part of a list is denied.
func (n Next) forbids() string {
	if n.Forbids == "" || strings.HasPrefix(n.Value, "~") {
		return n.Then
	}
	return n.Forbids
}

// state says what temper does about the directive.
func (n Next) state() string {
	switch {
	case n.Demotion != "":
		return "demoted: " + n.Demotion
	case n.Profile != "":
		return fmt.Sprintf("profile %s sets %s", n.Profile, n.Sets)
	}
	return "no profile sets it"
}

// Diff prints the rows in which an entry differs from what it is compared with, and both sums.
func (t Text) Diff(e Entry) error {
	columns := []column{
		{head: "NAME", grows: true},
		{head: "BEFORE", grows: true},
		{head: "", right: true},
		{head: "AFTER", grows: true},
		{head: "", right: true},
	}
	var rows [][]cell
	for _, d := range e.Changes {
		name := d.After.Name
		if name == "" {
			name = d.Before.Name
		}
		rows = append(rows, []cell{
			{text: name},
			{text: d.Before.Description},
			{text: d.Before.Exposure.String()},
			{text: d.After.Description},
			{text: d.After.Exposure.String()},
		})
	}
	if len(rows) > 0 {
		if err := t.table(columns, rows); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(t.Out, "\n%s %s %s → %s %s %s\n",
		e.Before.Unit, exposure.Points(e.Before.Exposure), t.paint(e.Before.Level, levelColors[e.Before.Level]),
		e.Report.Unit, exposure.Points(e.Report.Exposure), t.paint(e.Report.Level, levelColors[e.Report.Level]))
	return err
}

func mark(r exposure.Row) (text, color string) {
	switch {
	case r.Set == nil:
		return " ", ""
	case *r.Set:
		return "✓", green
	}
	return "✗", red
}

func (t Text) paint(text, color string) string {
	if !t.Style.Color || color == "" {
		return text
	}
	return color + text + reset
}

const gap = 2 // blanks between columns

// table prints rows under a heading. Where they do not fit the width, the columns that may shrink are cut, the widest
// first.
func (t Text) table(columns []column, rows [][]cell) error {
	for _, r := range rows {
		for i := range r {
			r[i].text = plain.Line(r[i].text)
		}
	}
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = utf8.RuneCountInString(c.head)
		for _, r := range rows {
			widths[i] = max(widths[i], displayWidth(r[i].text))
		}
	}
	t.fit(columns, widths)
	out := bufio.NewWriter(t.Out)
	heading := make([]cell, len(columns))
	for i, c := range columns {
		heading[i].text = c.head
	}
	for _, r := range append([][]cell{heading}, rows...) {
		var line strings.Builder
		for i, c := range r {
			text := cut(c.text, widths[i])
			pad := strings.Repeat(" ", widths[i]-displayWidth(text))
			switch {
			case columns[i].right:
				line.WriteString(pad + t.paint(text, c.color))
			default:
				line.WriteString(t.paint(text, c.color) + pad)
			}
			if i < len(r)-1 {
				line.WriteString(strings.Repeat(" ", gap))
			}
		}
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return out.Flush()
}

// least is the smallest width to which a column is cut.
const least = 8

// fit narrows the widest column that may shrink until the table fits.
func (t Text) fit(columns []column, widths []int) {
	if t.Style.Width == 0 {
		return
	}
	for {
		total := gap * (len(widths) - 1)
		widest := -1
		for i, w := range widths {
			total += w
			if columns[i].grows && w > least && (widest < 0 || w > widths[widest]) {
				widest = i
			}
		}
		if total <= t.Style.Width || widest < 0 {
			return
		}
		widths[widest]--
	}
}

// cut shortens a text to a width, with "…" at the end.
func cut(text string, width int) string {
	if displayWidth(text) <= width {
		return text
	}
	var b strings.Builder
	n := 0
	for _, r := range text {
		if n+runeWidth(r) > width-1 {
			break
		}
		b.WriteRune(r)
		n += runeWidth(r)
	}
	return b.String() + "…"
}

// displayWidth is the number of columns that a text takes.
func displayWidth(text string) int {
	n := 0
	for _, r := range text {
		n += runeWidth(r)
	}
	return n
}

// runeWidth is 2 for the faces and 1 for everything else that systemd prints.
func runeWidth(r rune) int {
	if r >= 0x1F300 && r <= 0x1FAFF {
		return 2
	}
	return 1
}
