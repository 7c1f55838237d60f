package main

import (
	"fmt"
	"slices"
	"sync"
)

// A board shows what is going on: on a terminal one line for each unit under way, redrawn in place; elsewhere one line for
// each step.
type board struct {
	*app
	mu    sync.Mutex
	units []string // under way, in the order of their first step
	last  map[string]string
	drawn int // lines on the terminal
}

func newBoard(a *app) *board { return &board{app: a, last: map[string]string{}} }

// show shows the newest step of a unit.
func (b *board) show(unit, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.terminal() {
		fmt.Fprintf(b.err, "%s: %s\n", unit, text)
		return
	}
	if !slices.Contains(b.units, unit) {
		b.units = append(b.units, unit)
	}
	b.last[unit] = text
	b.redraw()
}

// done takes the line of a unit away and lets its result be printed in its place.
func (b *board) done(unit string, print func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.units = slices.DeleteFunc(b.units, func(u string) bool { return u == unit })
	if !b.terminal() {
		print()
		return
	}
	b.erase()
	print()
	b.redraw()
}

// end clears the board.
func (b *board) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.units = nil
	if b.terminal() {
		b.erase()
	}
}

// erase goes back to the first line of the board and clears to the end of the screen.
func (b *board) erase() {
	if b.drawn > 0 {
		fmt.Fprintf(b.err, "\x1b[%dA\r\x1b[J", b.drawn)
	}
	b.drawn = 0
}

func (b *board) redraw() {
	b.erase()
	for _, u := range b.units {
		line := []rune(u + ": " + b.last[u])
		fmt.Fprintln(b.err, string(line[:min(len(line), b.columns()-1)]))
	}
	b.drawn = len(b.units)
}
