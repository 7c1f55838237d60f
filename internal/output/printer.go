// Package output prints results for people and for programs: verdicts, trials, decisions, tables, reports of tests, and
// the progress of proofs.
//
// Results go to the standard output, messages and progress to the standard error.
package output

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"temper/internal/plain"
)

// A Printer writes results to Out and messages to Err, in one format.
type Printer struct {
	Out, Err io.Writer
	Format   string // "text", "json", "junit" or "tap"
	Verbose  bool   // long lists are printed whole
	Brief    bool   // nothing that services have logged is printed: others than root may read it
}

// Warn prints a problem that does not stop the command.
func (p Printer) Warn(err error) { p.Talk("temper: %v", err) }

// print prints text as it is, apart from its arguments, which become plain.
func (p Printer) print(format string, args ...any) {
	plain.Args(args)
	fmt.Fprintf(p.Out, format, args...)
}

// Say prints a line of a result.
func (p Printer) Say(format string, args ...any) {
	plain.Args(args)
	fmt.Fprintln(p.Out, strings.TrimRight(fmt.Sprintf(format, args...), " "))
}

// JSON prints a result as one JSON document.
func (p Printer) JSON(v any) error {
	e := json.NewEncoder(p.Out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// terminal reports whether messages go to a terminal, on which progress can be drawn.
func (p Printer) terminal() bool {
	f, ok := p.Err.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// columns is the width of the terminal.
func (p Printer) columns() int {
	if f, ok := p.Err.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w
		}
	}
	return 80
}
