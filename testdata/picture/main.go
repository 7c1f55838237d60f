// Picture draws what a terminal shows as an SVG: the arguments are command lines, each is run by the shell and drawn with what it
// prints. "make picture" draws docs/prove.svg.
package main

import (
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Sizes in pixels, of a font of 14.
const (
	wide, high = 8.43, 20
	margin     = 16
)

// colours are those of words that say how it went.
var colours = []struct {
	words  *regexp.Regexp
	colour string
}{
	{regexp.MustCompile(`^\$ .*`), "#ffffff"},
	{regexp.MustCompile(`\bproven\b`), "#7ee787"},
	{regexp.MustCompile(`\b(broken-baseline|flaky|inconclusive|demoted)\b`), "#ffa657"},
	{regexp.MustCompile(`-> \d+\.\d`), "#7ee787"},
}

func main() {
	var lines []string
	for _, command := range os.Args[1:] {
		c := exec.Command("/bin/sh", "-c", command)
		c.Stderr = os.Stderr
		out, err := c.Output()
		if err != nil {
			fmt.Fprintf(os.Stderr, "picture: %s: %v\n", command, err)
			os.Exit(1)
		}
		lines = append(lines, "$ "+command)
		lines = append(lines, strings.Split(strings.TrimRight(string(out), "\n"), "\n")...)
	}
	fmt.Print(draw(lines))
}

// draw draws lines of text.
func draw(lines []string) string {
	columns := 0
	for _, l := range lines {
		columns = max(columns, utf8.RuneCountInString(l))
	}
	width, height := int(float64(columns)*wide)+2*margin, len(lines)*high+2*margin
	var b strings.Builder
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n", width, height, width, height)
	b.WriteString("<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#0d1117\"/>\n")
	b.WriteString("<g font-family=\"ui-monospace, 'DejaVu Sans Mono', monospace\" font-size=\"14\" fill=\"#c9d1d9\" xml:space=\"preserve\">\n")
	for i, l := range lines {
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\">%s</text>\n", margin, margin+14+i*high, coloured(l))
	}
	b.WriteString("</g>\n</svg>\n")
	return b.String()
}

// coloured is a line as XML, with the first match of each row of colours in its colour.
func coloured(line string) string {
	for _, c := range colours {
		if at := c.words.FindStringIndex(line); at != nil {
			return coloured(line[:at[0]]) + "<tspan fill=\"" + c.colour + "\">" + escaped(line[at[0]:at[1]]) + "</tspan>" + coloured(line[at[1]:])
		}
	}
	return escaped(line)
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}
