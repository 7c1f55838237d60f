package output

import (
	"fmt"
	"slices"
	"sync"

	"temper/internal/verdict"
)

// Progress shows what is going on while units are proven: on a terminal one line for each unit under way, redrawn in
// place; elsewhere one line for each step. What else is printed meanwhile goes through it, so that nothing is written
// between the lines that are redrawn.
type Progress struct {
	Printer
	mu    sync.Mutex
	units []string // under way, in the order of their first step
	last  map[string]string
	drawn int // lines on the terminal
}

// NewProgress returns a progress without any unit.
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

// Done takes the line of a unit away.
func (p *Progress) Done(unit string) {
	p.above(func() { p.units = slices.DeleteFunc(p.units, func(u string) bool { return u == unit }) })
}

// Result takes the line of a unit away and prints the verdict on it where that is wanted as text.
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

// erase goes back to the first line that is drawn and clears to the end of the screen.
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
