package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"temper/analyzer/exposure"
	"temper/analyzer/policy"
	"temper/analyzer/report"
	"temper/internal/junit"
	"temper/internal/offline"
	"temper/internal/unit"
)

func entry(t *testing.T, name, lines string, threshold int) report.Entry {
	t.Helper()
	file := "/usr/lib/systemd/system/" + name
	assignments, _, err := unit.Parse(file, strings.NewReader("[Service]\nExecStart=/bin/true\n"+lines))
	if err != nil {
		t.Fatal(err)
	}
	u := &unit.Unit{Name: name, ID: name, Fragment: file, Assignments: assignments}
	o := exposure.Options{Version: 257, Arch: "x86_64"}
	r, err := offline.Score(u, o)
	if err != nil {
		return report.Entry{Unit: name, Err: err}
	}
	p := policy.Policy{Waivers: []policy.Waiver{{
		Pattern: "old*", Reason: "on its way out",
		Until: time.Date(2030, 1, 31, 0, 0, 0, 0, time.UTC),
	}}}
	if threshold > 0 {
		p.Threshold = &threshold
	}
	judgement := p.Judge([]string{name}, r.Exposure, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	return report.Entry{Unit: name, Report: r, Judgement: judgement}
}

func entries(t *testing.T) []report.Entry {
	return []report.Entry{
		entry(t, "a-service-with-a-long-name.service", "PrivateTmp=yes\n", 0),
		entry(t, "b.service", "User=b\nProtectHome=maybe\nPrivateNetwork=yes\n", 50),
		entry(t, "old.service", "", 50),
		entry(t, "refused.service", "User=a:b\n", 0),
	}
}

func TestOverview(t *testing.T) {
	tests := []struct {
		name  string
		style report.Style
		want  string
	}{
		{"as wide as it needs", report.Style{}, `
UNIT                                EXPOSURE  PREDICATE  POLICY
a-service-with-a-long-name.service       9.2  UNSAFE
b.service                                8.6  EXPOSED    over its threshold of 5.0
old.service                              9.4  UNSAFE     over its threshold of 5.0, waived until 2030-01-31: on its way out
`},
		{"cut to 60 columns", report.Style{Width: 60}, `
UNIT                EXPOSURE  PREDICATE  POLICY
a-service-with-a-…       9.2  UNSAFE
b.service                8.6  EXPOSED    over its threshold…
old.service              9.4  UNSAFE     over its threshold…
`},
		{
			"in colour",
			report.Style{Color: true, Width: 80},
			"\nUNIT                       EXPOSURE  PREDICATE  HAPPY  POLICY\n" +
				"a-service-with-a-long-na…       9.2  \x1b[0;1;31mUNSAFE\x1b[0m     😨\n" +
				"b.service                       8.6  \x1b[0;1;33mEXPOSED\x1b[0m    🙁     over its threshold of 5.0\n" +
				"old.service                     9.4  \x1b[0;1;31mUNSAFE\x1b[0m     😨     over its threshold of 5.…\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := (report.Text{Out: &out, Style: tt.style}).Overview(entries(t)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimPrefix(tt.want, "\n"), out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestDetailsFit prints the rows of a unit at many widths: no line is longer, and the exposures stand below each other.
func TestDetailsFit(t *testing.T) {
	e := entry(t, "b.service", "User=b\nPrivateNetwork=yes\n", 50)
	e.Next = []report.Next{{Advice: exposure.Advice{
		Directive: "PrivateTmp", Value: "yes", Saves: 0.18,
		Forbids: "see others", Breaks: "sharing",
	}}}
	for width := 50; width <= 160; width += 10 {
		var out bytes.Buffer
		if err := (report.Text{Out: &out, Style: report.Style{Width: width}}).Details(e); err != nil {
			t.Fatal(err)
		}
		rows, _, _ := strings.Cut(out.String(), "\n→")
		for line := range strings.Lines(rows) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("%d columns: a line of %d: %s", width, n, line)
			}
			if strings.Contains(line, "UMask=") && !strings.HasSuffix(line, "0.1\n") {
				t.Errorf("%d columns: the exposure is cut: %s", width, line)
			}
		}
		for _, want := range []string{"→ Overall exposure level for b.service: 8.6 EXPOSED\n" +
			"  over its threshold of 5.0\n", " 0.18  PrivateT"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%d columns: there is no %q", width, want)
			}
		}
	}
}

func TestJSON(t *testing.T) {
	list := entries(t)
	list[1].Next = []report.Next{{
		Advice:  exposure.Advice{Directive: "PrivateTmp", Value: "yes", Saves: 0.18},
		Profile: "b", Sets: "yes", Demotion: "needs it",
	}}
	list[2].Before, list[2].Changes = &list[0].Report, exposure.Compare(list[0].Report, list[2].Report)
	var out bytes.Buffer
	if err := report.JSON(&out, slices.Values(list)); err != nil {
		t.Fatal(err)
	}
	var got []struct {
		Unit, Level, Error string
		Exposure           json.Number
		Rows               []struct {
			Set         *bool
			JSONField   string `json:"json_field"`
			Description *string
			Exposure    *string
		}
		Ignored []struct {
			Path string
			Line int
		}
		Threshold json.Number
		Over      bool
		Waiver    struct {
			Reason, Until string
			Expired       bool
		}
		Next    []report.Next
		Before  json.Number
		Changes []struct{ Name string }
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v: %.300s", err, out.String())
	}
	lines := []string{
		fmt.Sprintf("%d %d %s %s %s %q", len(got), len(got[0].Rows), got[0].Unit, got[0].Exposure, got[0].Level,
			got[0].Threshold),
		fmt.Sprintf("%s %s %v %v %v %s", got[1].Exposure, got[1].Threshold, got[1].Over, got[1].Ignored,
			got[1].Next[0].Saves, got[1].Next[0].Demotion),
		fmt.Sprintf("%v %s %v", got[2].Waiver, got[2].Before, got[2].Changes),
		fmt.Sprint(got[3].Unit, ": ", got[3].Error),
	}
	want := []string{
		"4 81 a-service-with-a-long-name.service 9.2 UNSAFE \"\"",
		"8.6 5.0 true [{/usr/lib/systemd/system/b.service 4}] 0.18 needs it",
		"{on its way out 2030-01-31 false} 9.2 [{PrivateTmp=}]",
		"refused.service: /usr/lib/systemd/system/refused.service:3: User=a:b is no valid name or number: systemd " +
			"refuses the unit",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	out.Reset()
	if err := report.JSON(&out, slices.Values([]report.Entry{})); err != nil || out.String() != "[]\n" {
		t.Errorf("no entries are %q, %v", out.String(), err)
	}
}

func TestJUnit(t *testing.T) {
	var out bytes.Buffer
	if err := report.JUnit(&out, slices.Values(entries(t))); err != nil {
		t.Fatal(err)
	}
	var all struct {
		Suite struct {
			Tests    int          `xml:"tests,attr"`
			Failures int          `xml:"failures,attr"`
			Errors   int          `xml:"errors,attr"`
			Skipped  int          `xml:"skipped,attr"`
			Cases    []junit.Case `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(out.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	suite := all.Suite
	if suite.Tests != 4 || suite.Failures != 1 || suite.Errors != 1 || suite.Skipped != 1 {
		t.Errorf("got %+v", suite)
	}
	if f := suite.Cases[1].Failure; f == nil || f.Message != "exposure 8.6 EXPOSED, over its threshold of 5.0" ||
		!strings.HasPrefix(f.Details, "0.3 ") {
		t.Errorf("the failure is %+v", f)
	}
	if suite.Cases[2].Skipped == nil || suite.Cases[3].Error == nil || suite.Cases[3].Name != "refused.service" {
		t.Errorf("got %+v", suite.Cases)
	}
}

func TestSARIF(t *testing.T) {
	var out bytes.Buffer
	list := append(entries(t), report.Entry{Unit: "gone.service", Err: unit.ErrNotFound})
	if err := report.SARIF(&out, "1.2", slices.Values(list)); err != nil {
		t.Fatal(err)
	}
	var log struct {
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name, Version string
					Rules         []struct{ ID string }
				}
			}
			Results []struct {
				RuleID, Level string
				Locations     []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine int }
					}
				}
				Suppressions []struct{ Justification string }
			}
		}
	}
	if err := json.Unmarshal(out.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	run := log.Runs[0]
	var got []string
	for _, r := range run.Results {
		at := r.Locations[0].PhysicalLocation
		got = append(got, fmt.Sprint(r.RuleID, " ", r.Level, " ", at.ArtifactLocation.URI, ":", at.Region.StartLine,
			" ", r.Suppressions))
		known := func(rule struct{ ID string }) bool { return rule.ID == r.RuleID }
		if !slices.ContainsFunc(run.Tool.Driver.Rules, known) {
			t.Errorf("%s is no rule", r.RuleID)
		}
	}
	want := []string{
		"exposure-over-threshold error usr/lib/systemd/system/b.service:1 []",
		"assignment-ignored warning usr/lib/systemd/system/b.service:4 []",
		"exposure-over-threshold error usr/lib/systemd/system/old.service:1 [{on its way out}]",
		"unit-not-scored error usr/lib/systemd/system/refused.service:3 []",
		"unit-not-scored error gone.service:1 []",
	}
	if diff := cmp.Diff(want, got); diff != "" || log.Version != "2.1.0" || run.Tool.Driver.Version != "1.2" {
		t.Error(diff)
	}
}

func TestDiff(t *testing.T) {
	before, after := entry(t, "b.service", "PrivateTmp=yes\n", 0),
		entry(t, "b.service", "User=b\nPrivateNetwork=yes\n", 0)
	after.Before, after.Changes = &before.Report, exposure.Compare(before.Report, after.Report)
	var out bytes.Buffer
	if err := (report.Text{Out: &out}).Diff(after); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"User=/DynamicUser=    Service runs as root user                                  0.4  Service runs under a " +
			"static non-root user identity\n",
		"PrivateTmp=           Service has no access to other software's temporary files       Service has access to " +
			"other software's temporary files  0.2\n",
		"\nb.service 9.2 UNSAFE → b.service 8.6 EXPOSED\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q in\n%s", want, out.String())
		}
	}
}
