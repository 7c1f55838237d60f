package report

import (
	"fmt"
	"io"
	"strings"

	"temper/survey/results"
)

// A metric is a gauge with a value for each unit.
type metric struct {
	name, help string
	values     func(u results.Unit) map[string]float64 // by further labels, `state="x"`
}

var metrics = []metric{
	{
		"temper_unit_exposure", "Exposure of systemd-analyze security, 0 to 10, without and with the proven drop-in.",
		func(u results.Unit) map[string]float64 {
			return map[string]float64{
				`hardened="no"`: u.Verdict.Exposure.Before, `hardened="yes"`: u.Verdict.Exposure.After,
			}
		},
	},
	{
		"temper_unit_verdict", "The verdict on the unit: 1 for the one that it has.",
		func(u results.Unit) map[string]float64 { return map[string]float64{"verdict=" + label(u.Outcome): 1} },
	},
	{
		"temper_unit_stale", "Whether something has changed since the unit was proven.",
		func(u results.Unit) map[string]float64 { return map[string]float64{"": number(u.Verdict.Stale)} },
	},
	{
		"temper_unit_demotions", "Directives that the unit does not survive as its profile asks for them.",
		func(u results.Unit) map[string]float64 {
			return map[string]float64{"": float64(len(u.Verdict.Demotions))}
		},
	},
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// label quotes the value of a label.
func label(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// writePrometheus writes the text format of Prometheus, for the textfile collector of node_exporter.
func writePrometheus(w io.Writer, c Content) error {
	for _, m := range metrics {
		if _, err := fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s gauge\n", m.name, m.help, m.name); err != nil {
			return err
		}
		for _, u := range c.Units {
			for _, more := range sortedKeys(m.values(u)) {
				labels := "unit=" + label(u.Unit)
				if more != "" {
					labels += "," + more
				}
				if _, err := fmt.Fprintf(w, "%s{%s} %g\n", m.name, labels, m.values(u)[more]); err != nil {
					return err
				}
			}
		}
	}
	_, err := fmt.Fprintf(w, "# HELP temper_report_time_seconds When this was written.\n"+
		"# TYPE temper_report_time_seconds gauge\ntemper_report_time_seconds %d\n", c.Made.Unix())
	return err
}
