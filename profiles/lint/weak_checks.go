package lint

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"temper/profiles"
)

// weakness says how a check can pass even if the service does not work.
func weakness(c profiles.Check) (what, fix string) {
	switch {
	case c.HTTP != nil && c.HTTP.Body == "" && c.HTTP.Method != "HEAD" && c.HTTP.Status == 200:
		return "is content with an empty page", `write body = "a word of the page"`
	case c.TCP != nil && c.TCP.Expect == "", c.Unix != nil && c.Unix.Expect == "":
		return "is content with a connection, which systemd or a dead worker accepts too", `write expect = "the answer"`
	case c.UDP != nil && c.UDP.Expect == "":
		return "is content when nothing answers", `write expect = "the answer"`
	case c.Exec != nil:
		return weakCommand(c.Exec.Command)
	}
	return "", ""
}

// weakCommand says how a command can pass even if the service does not work.
func weakCommand(command []string) (what, fix string) {
	switch {
	case leaves(command):
		return "passes where it does nothing", "exit with status 77, or write requires"
	case isShell(command) && forgives(command[2]):
		return "passes whatever its last command says", "leave out what follows the last ||"
	case isShell(command) && unheeded(command[2]):
		return `has a line "! command", which "sh -e" lets fail`, `write "if command; then exit 1; fi"`
	}
	return "", ""
}

func isShell(command []string) bool { return len(command) > 2 && strings.HasSuffix(command[0], "sh") }

var (
	// shellStep matches what begins and ends a loop, and an exit after a failed command.
	shellStep   = regexp.MustCompile(`(?m)(?:^|[\s;])(do|done)(?:$|[\s;])|\|\|\s*(exit 0|\{[^}\n]*exit 0[^}\n]*\})`)
	perlLeave   = regexp.MustCompile(`(?:\bor exit(?: 0)?\s*;|\bexit(?: 0)? unless\b)`)
	allForgiven = regexp.MustCompile(`\|\|\s*(?:true|:|exit 0)\s*$`)
)

// leaves reports whether a script ends with success as soon as it finds that something is missing. In a loop it may:
// there it waits until something is gone.
func leaves(command []string) bool {
	if path.Base(command[0]) == "perl" {
		return slices.ContainsFunc(command, perlLeave.MatchString)
	}
	if !isShell(command) {
		return false
	}
	depth := 0
	for _, m := range shellStep.FindAllStringSubmatch(command[2], -1) {
		switch {
		case m[1] == "do":
			depth++
		case m[1] == "done":
			depth--
		case depth == 0:
			return true
		}
	}
	return false
}

// forgives reports whether the last command of a script may fail.
func forgives(script string) bool { return allForgiven.MatchString(strings.TrimSpace(script)) }

// unheeded reports whether a script has a line "! command" that is neither the last line nor the last of a block: the
// shell does not exit if that command succeeds. A line that could be text for another program is not judged.
func unheeded(script string) bool {
	lines := strings.FieldsFunc(script, func(r rune) bool { return r == '\n' })
	before := ""
	for i, line := range lines[:max(len(lines)-1, 0)] {
		negated, ok := strings.CutPrefix(strings.TrimSpace(line), "! ")
		own := ok && !strings.ContainsAny(strings.ReplaceAll(negated, "2>&1", ""), `&|;\`)
		text := strings.Contains(before, "<<") || quotes(before) || quotes(line)
		if own && !text && !slices.Contains(ends, strings.TrimSpace(lines[i+1])) {
			return true
		}
		before += line
	}
	return false
}

// ends are the lines that end a block of a shell script.
var ends = []string{"}", ")", "fi", "else", "done", "esac"}

// quotes reports whether a text ends within quotes.
func quotes(text string) bool {
	return strings.Count(text, "'")%2 != 0 || strings.Count(text, `"`)%2 != 0
}
