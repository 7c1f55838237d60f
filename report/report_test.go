package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"temper/internal/verdict"
	"temper/report"
	"temper/survey/results"
)

func content() report.Content {
	applied := func(names ...string) (list []verdict.Applied) {
		for _, n := range names {
			list = append(list, verdict.Applied{Directive: n, Value: "yes"})
		}
		return list
	}
	web := verdict.Verdict{
		Unit: "web.service", Result: verdict.Proven, Profile: "web", Trials: 4, Seconds: 65,
		Exposure: verdict.Exposure{Before: 9.6, After: 2.4}, Dropin: "[Service]\nPrivateTmp=yes\n",
		Applied: applied("PrivateTmp", "ProtectHome", "ReadWritePaths", "ReadWritePaths"),
		Demotions: []verdict.Demotion{
			{Directive: "ProtectHome", From: "yes", To: "read-only", Reason: "reads <b>home</b>"},
			{
				Directive: "MemoryDenyWriteExecute", From: "yes", To: verdict.Off, Reason: "JIT",
				Evidence: []verdict.Evidence{{Kind: "kernel", Text: `mprotect <script>alert(1)</script>`}},
			},
		},
	}
	mail := verdict.Verdict{
		Unit: "mail.service", Trials: 2, Seconds: 5, Exposure: verdict.Exposure{Before: 8.4, After: 1.6},
		Dropin:  "[Service]\nPrivateTmp=yes\n",
		Applied: applied("PrivateTmp", "ProtectHome", "MemoryDenyWriteExecute"),
	}
	return report.Content{
		Title: "A & B", Made: time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC),
		Packages: []results.Package{{Package: "web", Outcome: results.Installed}},
		Units: []results.Unit{
			{
				Package: "web", Unit: "web.service", Outcome: verdict.Proven, Verdict: web, Base: true,
				Draft: "# \"web\" reads <home>\nProtectHome = \"read-only\"\n",
			},
			{Package: "mail", Unit: "mail.service", Outcome: results.Started, Verdict: mail, Base: true},
			{
				Package: "nfs", Unit: "nfs.service", Outcome: verdict.BrokenBaseline, Reason: "does not start",
				Cause: "kernel module", Log: []string{"modprobe: <nfs> not found"},
			},
			{Package: "odd", Unit: "odd.service", Outcome: verdict.Flaky, Reason: "now and then"},
		},
	}
}

// TestSummarize: a directive was tried where it was applied or demoted; exceptions are not directives.
func TestSummarize(t *testing.T) {
	s := report.Summarize(content().Packages, content().Units)
	want := []report.Directive{
		{Name: "MemoryDenyWriteExecute", Tried: 2, Kept: 1, Off: 1},
		{Name: "ProtectHome", Tried: 2, Kept: 1, Weaker: 1},
		{Name: "PrivateTmp", Tried: 2, Kept: 2},
	}
	if len(s.Directives) != len(want) {
		t.Fatalf("%+v, want %+v", s.Directives, want)
	}
	for i := range want {
		if s.Directives[i] != want[i] {
			t.Errorf("%+v, want %+v", s.Directives[i], want[i])
		}
	}
	if s.Working != 2 || s.Before != 9 || s.After != 2 || s.Launches != 3 || s.Seconds != 35 {
		t.Errorf("%+v", s)
	}
}

// TestPage: the page is whole in itself, and what a service has said is text in it.
func TestPage(t *testing.T) {
	var b bytes.Buffer
	if err := report.WritePage(&b, content()); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	if m := regexp.MustCompile(`(?i)<script|(src|href)="[^#]|url\(|@import|<link`).FindString(page); m != "" {
		t.Errorf("the page has %q", m)
	}
	for _, part := range []string{
		"<h1>A &amp; B</h1>", "mprotect &lt;script&gt;", "&lt;b&gt;home", "modprobe: &lt;nfs&gt;", "kernel module (1)",
		`aria-label="exposure 9.6 before, 2.4 after"`, "no profile names it", "odd: flaky", "reads &lt;home&gt;", "read its draft", "Content-Security-Policy",
	} {
		if !strings.Contains(page, part) && !strings.Contains(page, strings.ReplaceAll(part, "no profile names it",
			"nobody used it")) {
			t.Errorf("the page has no %q", part)
		}
	}
	wellFormed(t, page)
	b.Reset()
	if err := report.WritePage(&b, report.Content{Title: "Nothing"}); err != nil {
		t.Fatal(err)
	}
	wellFormed(t, b.String())
}

// wellFormed wants every element to end where it should.
func wellFormed(t *testing.T, page string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Entity = xml.HTMLEntity
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%v", err)
		}
	}
}

func TestFormats(t *testing.T) {
	for as, want := range map[string][]string{
		"tmt": {
			"- name: \"/web/web.service\"\n  result: warn\n  note:\n    - \"proven, exposure 9.6 -\\u003e 2.4, " +
				"MemoryDenyWriteExecute= demoted to off, ProtectHome= demoted to read-only\"\n  duration: \"00:01:05\"\n",
			"- name: \"/mail/mail.service\"\n  result: pass\n", "- name: \"/nfs/nfs.service\"\n  result: skip\n",
			"- name: \"/odd/odd.service\"\n  result: fail\n",
		},
		"autopkgtest": {
			"web                  PASS proven, exposure 9.6 -> 2.4, Mem", "mail                 PASS\n",
			"nfs                  SKIP broken-baseline\n", "odd                  FAIL flaky\n",
		},
		"prometheus": {
			`temper_unit_exposure{unit="web.service",hardened="no"} 9.6` + "\n",
			`temper_unit_exposure{unit="web.service",hardened="yes"} 2.4` + "\n",
			`temper_unit_verdict{unit="odd.service",verdict="flaky"} 1` + "\n",
			`temper_unit_demotions{unit="web.service"} 2` + "\n", "temper_report_time_seconds 1796029200\n",
		},
		"markdown": {
			"# A & B\n", "| 9 to 10 | ", "| ProtectHome | 2 | 1 | 1 | 0 | 50 |\n",
			"| web | web.service | proven | 9.6 | 2.4 | ProtectHome, MemoryDenyWriteExecute |\n",
			"| nfs | nfs.service | broken-baseline: kernel module | | |  |\n",
		},
		"schema": {
			`"$schema": "https://json-schema.org/draft/2020-12/schema"`, `"mean_exposure_before": {`, `"demotions": {`,
			`"format": "date-time"`,
		},
		"json": {`"schema": 1`, `"mean_exposure_before": 9,`, `"unit": "odd.service"`},
	} {
		var b bytes.Buffer
		if err := report.Formats[as](&b, content()); err != nil {
			t.Fatal(err)
		}
		for _, part := range want {
			if !strings.Contains(b.String(), part) {
				t.Errorf("%s: no %q in\n%s", as, part, b.String())
			}
		}
	}
}

// TestStandings: one line of JSON, in which there is no word of a log.
func TestStandings(t *testing.T) {
	var b bytes.Buffer
	err := report.WriteStandings(&b, time.Unix(50, 0), []report.Standing{
		{
			Unit: "a.service", State: "restart-needed", Now: 9.1, Proven: time.Unix(1796029200, 0),
			Verdict: verdict.Verdict{Result: verdict.Proven, Reason: "password=secret", Demotions: make([]verdict.Demotion, 2)},
		},
		{Unit: "bare.service"},
	})
	const want = `{"made":"1970-01-01T00:00:50Z","units":{"a.service":{"state":"restart-needed","verdict":"proven",` +
		`"verdict_time":"2026-11-30T09:00:00Z","stale":false,"demotions":2,"exposure":{"before":0,"after":0,"now":9.1}},` +
		`"bare.service":{"stale":false,"demotions":0,"exposure":{"before":0,"after":0}}}}` + "\n"
	if err != nil || b.String() != want {
		t.Errorf("%v, have\n%s\nwant\n%s", err, b.String(), want)
	}
}

// TestMetrics: what is not known is no metric, and a label holds any text.
func TestMetrics(t *testing.T) {
	var b bytes.Buffer
	err := report.WriteMetrics(&b, time.Unix(50, 0), []report.Standing{
		{Unit: `a\x2d"b.service`, State: "restart-needed", Now: 9.1, Proven: time.Unix(1796029200, 0)},
		{Unit: "bare.service"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`temper_unit_state{unit="a\\x2d\"b.service",state="restart-needed"} 1`,
		`temper_unit_exposure_now{unit="a\\x2d\"b.service"} 9.1`,
		`temper_unit_verdict_time_seconds{unit="a\\x2d\"b.service"} 1.7960292e+09`,
		`temper_unit_demotions{unit="bare.service"} 0`,
	} {
		if !strings.Contains(b.String(), "\n"+line+"\n") {
			t.Errorf("no %s in\n%s", line, b.String())
		}
	}
	for _, metric := range []string{"state", "verdict", "exposure_now", "verdict_time_seconds"} {
		if strings.Contains(b.String(), "temper_unit_"+metric+`{unit="bare.service"`) {
			t.Errorf("%s of a unit of which nothing is known:\n%s", metric, b.String())
		}
	}
}

// TestStatement: the statement has what the predicate of in-toto wants, and the digests of the drop-ins as subjects.
func TestStatement(t *testing.T) {
	var b bytes.Buffer
	if err := report.Formats["in-toto"](&b, content()); err != nil {
		t.Fatal(err)
	}
	var s struct {
		Type          string `json:"_type"`
		PredicateType string
		Subject       []struct {
			Name   string
			Digest map[string]string
		}
		Predicate struct {
			Result, Timestamp                     string
			Configuration                         []struct{ Name string }
			PassedTests, WarnedTests, FailedTests []string
		}
	}
	if err := json.Unmarshal(b.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	p := s.Predicate
	if s.Type != "https://in-toto.io/Statement/v1" || len(s.Subject) != 2 || len(s.Subject[0].Digest["sha256"]) != 64 ||
		p.Result != "FAILED" || p.Timestamp != "2026-11-30T09:00:00Z" || len(p.Configuration) != 4 ||
		len(p.PassedTests) != 1 || len(p.WarnedTests) != 2 || len(p.FailedTests) != 1 {
		t.Errorf("%s", b.String())
	}
}
