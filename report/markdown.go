package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

func sortedKeys(m map[string]float64) []string { return slices.Sorted(maps.Keys(m)) }

// writeMarkdown writes the survival table.
func writeMarkdown(w io.Writer, c Content) error {
	s := Summarize(c.Packages, c.Units)
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\nWritten by temper report, %s.\n\n", c.Title, c.Made.UTC().Format("2006-01-02"))
	fmt.Fprintf(&b, "%d service units of %d packages. Packages: %s. Units: %s.\n", len(c.Units), len(c.Packages),
		words(s.Packages), words(s.Units))
	if len(s.Causes) > 0 {
		fmt.Fprintf(&b, "Those that do not run without hardening lack: %s.\n", words(s.Causes))
	}
	fmt.Fprintf(&b, "\nThe %d units that work hardened: mean exposure %.1f -> %.1f, %.1f launches and %.0f s each.\n",
		s.Working, s.Before, s.After, s.Launches, s.Seconds)
	b.WriteString("\n| exposure | units before | units after |\n|---|--:|--:|\n")
	for _, e := range s.Exposures {
		if e.Before+e.After > 0 {
			fmt.Fprintf(&b, "| %d to %d | %d | %d |\n", e.From, e.From+1, e.Before, e.After)
		}
	}
	b.WriteString("\n## Directives\n\n| directive | tried | kept | weaker | given up | kept % |\n|---|--:|--:|--:|--:|--:|\n")
	for _, d := range s.Directives {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d |\n", d.Name, d.Tried, d.Kept, d.Weaker, d.Off, d.Share())
	}
	b.WriteString("\n## Services\n\n| package | unit | verdict | before | after | demotions |\n|---|---|---|--:|--:|---|\n")
	for _, u := range c.Units {
		e := u.Verdict.Exposure
		var demoted []string
		for _, d := range u.Verdict.Demotions {
			demoted = append(demoted, d.Directive)
		}
		outcome := u.Outcome
		if u.Cause != "" {
			outcome += ": " + u.Cause
		}
		exposure := "| |"
		if u.Works() {
			exposure = fmt.Sprintf("%.1f | %.1f |", e.Before, e.After)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s %s |\n", u.Package, u.Unit, outcome, exposure, strings.Join(demoted, ", "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func words(list []Count) string {
	var all []string
	for _, c := range list {
		all = append(all, fmt.Sprintf("%d %s", c.N, c.Name))
	}
	return strings.Join(all, ", ")
}
