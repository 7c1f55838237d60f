package output

import (
	"fmt"
	"slices"
	"sync"

	"temper/internal/verdict"
)

// Progress shows the steps of the proofs: on a terminal one line for each unit under way, which is redrawn; elsewhere
// one line for each step. Everything else that is printed meanwhile has to go through it, so that nothing is written
// between the redrawn lines.
type Progress struct {
	Printer
	mu    sync.Mutex
	units []string // under way, in the order of their first step
	last  map[string]string
	drawn int // lines on the terminal
}

// NewProgress returns a Progress that has no unit yet.
func NewProgress(p Printer) *Progress { return &Progress{Printer: p, last: map[string]string{}} }

// Step shows the newest step of a unit.
func (p *Progress) Step(unit, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.terminal() {
		fmt.Fprintf(p.Err, "%s: %s\n", unit, text)
		return
	}
	if !slices.Contains(p.units, unit) {
		p.units = append(p.units, unit)
	}
	p.last[unit] = text
	p.erase()
	p.draw()
}

// Done removes the line of a unit.
func (p *Progress) Done(unit string) {
	p.above(func() { p.units = slices.DeleteFunc(p.units, func(u string) bool { return u == unit }) })
}

// Result removes the line of a unit and, if the format is text, prints the verdict on the unit.
func (p *Progress) Result(v verdict.Verdict) {
	p.above(func() {
		p.units = slices.DeleteFunc(p.units, func(u string) bool { return u == v.Unit })
		if p.Format == "text" {
			p.verdict(v)
		}
	})
}

// Warn prints a problem that does not stop the proofs.
func (p *Progress) Warn(err error) { p.above(func() { p.Printer.Warn(err) }) }

// above prints something above the lines of the units.
func (p *Progress) above(print func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	print()
	p.draw()
}

// erase moves to the first drawn line and clears the screen from there.
func (p *Progress) erase() {
	if p.drawn > 0 {
		fmt.Fprintf(p.Err, "\x1b[%dA\r\x1b[J", p.drawn)
	}
	p.drawn = 0
}

// draw draws a line for each unit on a terminal.
func (p *Progress) draw() {
	if !p.terminal() {
		return
	}
	for _, u := range p.units {
		line := []rune(u + ": " + p.last[u])
		fmt.Fprintln(p.Err, string(line[:min(len(line), p.columns()-1)]))
	}
	p.drawn = len(p.units)
}
