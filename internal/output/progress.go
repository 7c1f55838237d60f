package output

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"temper/internal/plain"
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

	work Work
	done map[string]bool
	end  time.Time // when the last unit was done
}

// Work is what is to be proven.
type Work struct {
	Units []string
	Took  map[string]float64 // seconds of their last proofs, where they are known
	Jobs  int                // how many are proven side by side
}

// NewProgress returns a Progress in which no unit is under way yet.
func NewProgress(p Printer, w Work) *Progress {
	return &Progress{Printer: p, last: map[string]string{}, work: w, done: map[string]bool{}, end: time.Now()}
}

// Step shows the newest step of a unit, which may tell what it has logged.
func (p *Progress) Step(unit, text string) {
	if p.Brief {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.terminal() {
		p.Talk("%s: %s", unit, text)
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
	p.above(func() { p.finish(unit) })
}

// Result removes the line of a unit and, if the format is text, prints the verdict on the unit.
func (p *Progress) Result(v verdict.Verdict) {
	p.above(func() {
		p.finish(v.Unit)
		if p.Format == "text" {
			p.verdict(v)
		}
	})
}

func (p *Progress) finish(unit string) {
	p.units = slices.DeleteFunc(p.units, func(u string) bool { return u == unit })
	p.done[unit], p.end = true, time.Now()
}

// Say prints a line of a result.
func (p *Progress) Say(format string, args ...any) {
	p.above(func() {
		if p.Format == "text" {
			p.Printer.Say(format, args...)
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

// draw draws a line for each unit on a terminal, after one that says how far the proofs are.
func (p *Progress) draw() {
	if !p.terminal() {
		return
	}
	lines := []string{}
	if len(p.work.Units) > 1 && len(p.units) > 0 {
		lines = append(lines, p.work.summary(len(p.done), p.left()))
	}
	for _, u := range p.units {
		lines = append(lines, u+": "+p.last[u])
	}
	for _, text := range lines {
		line := []rune(plain.Line(text))
		fmt.Fprintln(p.Err, string(line[:min(len(line), p.columns()-1)]))
	}
	p.drawn = len(lines)
}

// left estimates how long the proofs still take; 0 if that is not known.
func (p *Progress) left() time.Duration {
	all := 0.0
	for _, u := range p.work.Units {
		if took, known := p.work.Took[u]; !known {
			return 0
		} else if !p.done[u] {
			all += took
		}
	}
	all /= float64(max(p.work.Jobs, 1))
	return max(time.Duration(all*float64(time.Second))-time.Since(p.end), time.Second)
}

// summary says how far the proofs are.
func (w Work) summary(done int, left time.Duration) string {
	text := fmt.Sprintf("unit %d of %d", min(done+1, len(w.Units)), len(w.Units))
	switch {
	case left == 0:
	case left < 2*time.Minute:
		text += fmt.Sprintf(", about %d s left", int(left.Round(time.Second).Seconds()))
	default:
		text += fmt.Sprintf(", about %d min left", int(left.Round(time.Minute).Minutes()))
	}
	return text
}
