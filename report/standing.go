package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"temper/internal/refusallog"
	"temper/internal/verdict"
)

// A Standing is how a service stands on a machine.
type Standing struct {
	Unit    string
	Verdict verdict.Verdict
	State   string              // "" if it is not known whether the hardening is in force
	Now     float64             // exposure of what runs; 0 if it is not known
	Proven  time.Time           // when the verdict was stored; zero if that is not known
	Refused *refusallog.Summary // nil if it was never watched
}

// A metric is a gauge with a value for each unit.
type metric struct {
	name, help string
	values     func(s Standing) map[string]float64 // by further labels, `state="x"`
}

var metrics = []metric{
	{
		"temper_unit_exposure", "Exposure of systemd-analyze security, 0 to 10, without and with the proven drop-in.",
		func(s Standing) map[string]float64 {
			return map[string]float64{
				`hardened="no"`: s.Verdict.Exposure.Before, `hardened="yes"`: s.Verdict.Exposure.After,
			}
		},
	},
	{
		"temper_unit_exposure_now", "Exposure of the unit as it is applied now.",
		func(s Standing) map[string]float64 { return known("", s.Now, s.Now > 0) },
	},
	{
		"temper_unit_state", "Whether the hardening is in force: 1 for the state of the unit.",
		func(s Standing) map[string]float64 { return known("state="+label(s.State), 1, s.State != "") },
	},
	{
		"temper_unit_verdict", "The verdict on the unit: 1 for the one that it has.",
		func(s Standing) map[string]float64 {
			return known("verdict="+label(s.Verdict.Result), 1, s.Verdict.Result != "")
		},
	},
	{
		"temper_unit_verdict_time_seconds", "When the verdict was stored.",
		func(s Standing) map[string]float64 { return known("", float64(s.Proven.Unix()), !s.Proven.IsZero()) },
	},
	{
		"temper_unit_stale", "Whether something has changed since the unit was proven.",
		func(s Standing) map[string]float64 { return map[string]float64{"": number(s.Verdict.Stale)} },
	},
	{
		"temper_unit_demotions", "Directives that the unit does not survive as its profile asks for them.",
		func(s Standing) map[string]float64 {
			return map[string]float64{"": float64(len(s.Verdict.Demotions))}
		},
	},
	{
		"temper_unit_refused_calls", "Calls of the unit that its hardening refused in production, as temper watch saw them.",
		func(s Standing) map[string]float64 {
			if s.Refused == nil {
				return nil
			}
			return map[string]float64{"": float64(s.Refused.Calls)}
		},
	},
	{
		"temper_unit_refusals_open", "Different refusals that nobody has answered with temper review.",
		func(s Standing) map[string]float64 {
			if s.Refused == nil {
				return nil
			}
			return map[string]float64{"": float64(s.Refused.Open)}
		},
	},
}

// known is a value with its labels, or none.
func known(labels string, value float64, is bool) map[string]float64 {
	if !is {
		return nil
	}
	return map[string]float64{labels: value}
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

// writePrometheus writes metrics of what was proven.
func writePrometheus(w io.Writer, c Content) error {
	var list []Standing
	for _, v := range Verdicts(c.Units) {
		list = append(list, Standing{Unit: v.Unit, Verdict: v})
	}
	return WriteMetrics(w, c.Made, list)
}

// WriteStandings writes how services stand as one JSON document on one line, for systemd-report-files(8) of systemd
// 262. Anybody may ask for it: it holds no line of a log and no path.
func WriteStandings(w io.Writer, made time.Time, list []Standing) error {
	type exposure struct {
		Before float64 `json:"before"`
		After  float64 `json:"after"`
		Now    float64 `json:"now,omitempty"`
	}
	type standing struct {
		State     string     `json:"state,omitempty"`
		Verdict   string     `json:"verdict,omitempty"`
		Proven    *time.Time `json:"verdict_time,omitempty"`
		Stale     bool       `json:"stale"`
		Demotions int        `json:"demotions"`
		Exposure  exposure   `json:"exposure"`
	}
	units := map[string]standing{}
	for _, s := range list {
		units[s.Unit] = standing{
			State: s.State, Verdict: s.Verdict.Result, Proven: utc(s.Proven), Stale: s.Verdict.Stale,
			Demotions: len(s.Verdict.Demotions),
			Exposure:  exposure{s.Verdict.Exposure.Before, s.Verdict.Exposure.After, s.Now},
		}
	}
	return json.NewEncoder(w).Encode(struct {
		Made  *time.Time          `json:"made"`
		Units map[string]standing `json:"units"`
	}{utc(made), units})
}

// utc is a time to the second; nil if it is not known.
func utc(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

// WriteMetrics writes the text format of Prometheus, for the textfile collector of node_exporter.
func WriteMetrics(w io.Writer, made time.Time, list []Standing) error {
	var b strings.Builder
	for _, m := range metrics {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s gauge\n", m.name, m.help, m.name)
		for _, s := range list {
			values := m.values(s)
			for _, more := range sortedKeys(values) {
				labels := "unit=" + label(s.Unit)
				if more != "" {
					labels += "," + more
				}
				fmt.Fprintf(&b, "%s{%s} %v\n", m.name, labels, values[more])
			}
		}
	}
	fmt.Fprintf(&b, "# HELP temper_report_time_seconds When this was written.\n"+
		"# TYPE temper_report_time_seconds gauge\ntemper_report_time_seconds %d\n", made.Unix())
	_, err := io.WriteString(w, b.String())
	return err
}
