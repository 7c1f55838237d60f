// Package manual makes the manual pages from the program's commands and from pages written by hand.
package manual

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"temper/internal/directive"
)

// Write writes pages into a directory, each under its name.
func Write(dir string, pages map[string]string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, text := range pages {
		if err := renameio.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Pages returns the pages by file name. The pages of verbs are made from the commands. A file NAME.in in source is a
// whole page or, for a verb, the part of its page before SEE ALSO. @DIRECTIVES@ in a file is replaced by the table of
// directives.
func Pages(root *cobra.Command, source string) (map[string]string, error) {
	written, err := filepath.Glob(filepath.Join(source, "*.in"))
	if err != nil {
		return nil, err
	}
	root.InitDefaultVersionFlag()
	pages := map[string]string{}
	for _, file := range written {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		pages[strings.TrimSuffix(filepath.Base(file), ".in")] = strings.ReplaceAll(
			string(data),
			"@DIRECTIVES@\n",
			directivesRoff(),
		)
	}
	for _, c := range append([]*cobra.Command{root}, Verbs(root)...) {
		name := PageName(c) + ".1"
		pages[name] = commandPage(root, c, pages[name])
	}
	return pages, nil
}

// Verbs are the commands that have a page of their own.
func Verbs(root *cobra.Command) []*cobra.Command {
	return slices.DeleteFunc(slices.Clone(root.Commands()), func(c *cobra.Command) bool {
		return c.Hidden || c.Name() == "help" || c.Name() == "completion"
	})
}

// PageName is the name of the page of a command.
func PageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// commandPage is the page of one command in the macros of man(7).
func commandPage(root, c *cobra.Command, more string) string {
	var b strings.Builder
	fmt.Fprintf(
		&b,
		".\\\" Made by \"temper manual\" from the program.\n.TH %s 1 \"\" temper \"temper\"\n",
		strings.ToUpper(PageName(c)),
	)
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", Escape(PageName(c)), Escape(lowerFirst(c.Short)))
	b.WriteString(".SH SYNOPSIS\n.B " + Escape(c.CommandPath()) + "\n")
	if args := strings.TrimPrefix(strings.TrimPrefix(c.Use, c.Name()), " "); args != "" {
		b.WriteString("[\\fIOPTION\\fR...] " + Escape(args) + "\n")
	} else {
		b.WriteString("\\fIVERB\\fR [\\fIOPTION\\fR...] [\\fIARGUMENT\\fR...]\n")
	}
	b.WriteString(".SH DESCRIPTION\n")
	exit := ""
	for i, paragraph := range strings.Split(c.Long, "\n\n") {
		if text, ok := strings.CutPrefix(paragraph, "Exit status: "); ok {
			exit = text
			continue
		}
		if i > 0 {
			b.WriteString(".PP\n")
		}
		b.WriteString(Escape(paragraph) + "\n")
	}
	if c == root {
		verbsRoff(&b, root)
	}
	flagsRoff(&b, c)
	if exit != "" {
		b.WriteString(".SH EXIT STATUS\n" + Escape(exit) + "\n")
	}
	if c.Example != "" {
		b.WriteString(".SH EXAMPLES\n.nf\n" + Escape(c.Example) + "\n.fi\n")
	}
	b.WriteString(more)
	seeAlso(&b, root, c)
	return b.String()
}

func verbsRoff(b *strings.Builder, root *cobra.Command) {
	b.WriteString(".SH VERBS\n")
	for _, v := range Verbs(root) {
		fmt.Fprintf(b, ".TP\n.BR %s (1)\n%s.\n", Escape(PageName(v)), Escape(v.Short))
	}
}

func flagsRoff(b *strings.Builder, c *cobra.Command) {
	b.WriteString(".SH OPTIONS\n")
	write := func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		fmt.Fprintf(b, ".TP\n.B %s\n", Escape(strings.TrimSpace("--"+f.Name+" "+value)))
		b.WriteString(Escape(strings.ToUpper(usage[:1])+usage[1:]) + ".")
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" {
			b.WriteString(" The default is " + Escape(f.DefValue) + ".")
		}
		b.WriteString("\n")
	}
	c.NonInheritedFlags().VisitAll(write)
	c.InheritedFlags().VisitAll(write)
	b.WriteString(".TP\n.B \\-\\-help\nSay what the command does.\n")
}

func seeAlso(b *strings.Builder, root, c *cobra.Command) {
	var names []string
	if c != root {
		names = append(names, ".BR temper (1)")
	}
	names = append(
		names,
		".BR temper.profile (5)",
		".BR temper.toml (5)",
		".BR temper\\-generator (8)",
		".BR systemd.exec (5)",
	)
	b.WriteString(".SH SEE ALSO\n" + strings.Join(names, ",\n") + "\n")
}

// directivesRoff is the table of directives that a profile may set.
func directivesRoff() string {
	var b strings.Builder
	for _, d := range directive.All() {
		fmt.Fprintf(&b, ".TP\n.B %s\n", Escape(d.Name))
		if forbids, ok := strings.CutPrefix(d.Forbids, "nothing: "); ok {
			fmt.Fprintf(&b, "%s.\n", Escape(strings.ToUpper(forbids[:1])+forbids[1:]))
		} else {
			fmt.Fprintf(&b, "The service cannot %s.\n", Escape(d.Forbids))
		}
		if names := valueNames(d); names != "" {
			fmt.Fprintf(&b, "Values, the weakest first: %s.\n", Escape(names))
		}
		if d.Breaks != "" {
			fmt.Fprintf(&b, "Breaks %s.\n", Escape(lowerFirst(d.Breaks)))
		}
		if d.Since > 0 {
			fmt.Fprintf(&b, "Since systemd %d.\n", d.Since)
		}
		fmt.Fprintf(&b, "See %s.\n", manReference(d.Man))
	}
	return b.String()
}

func valueNames(d *directive.Directive) string {
	var names []string
	for _, v := range d.Values {
		name := v.Name
		if v.Since > max(d.Since, 231) {
			name += fmt.Sprintf(" (systemd %d)", v.Since)
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// manReference formats "systemd.exec(5)" as a reference to another manual page.
func manReference(page string) string {
	name, section, _ := strings.Cut(page, "(")
	return "\\fB" + Escape(name) + "\\fR(" + section
}

// lowerFirst makes the first letter small, unless the sentence begins with a name or an abbreviation.
func lowerFirst(s string) string {
	if len(s) < 2 || strings.ToLower(s[1:2]) != s[1:2] || strings.ContainsAny(strings.Fields(s)[0], "0123456789=(") {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

var roffEscapes = strings.NewReplacer("\\", "\\e", "-", "\\-", "\n.", "\n\\&.", "\n'", "\n\\&'")

// Escape escapes text for a line of a manual page: hyphens become ones that can be copied and typed, and no line looks
// like a request.
func Escape(text string) string {
	text = roffEscapes.Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = "\\&" + text
	}
	return text
}
