package policy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/analyzer/policy"
	"temper/internal/host"
)

func write(t *testing.T, files map[string]string) host.Root {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return host.At(root)
}

const example = `threshold = 5.0
rows = "systemd.policy"

[units]
"nginx.service" = 35
"getty@*.service" = 9.6
"*@tty1.service" = 9
"g*.service" = 1

[[waiver]]
unit = "cups.service"
reason = "needs devices"
until = "2027-06-30"

[[waiver]]
unit = "*"
reason = "until the audit"
until = "2026-01-01"
`

func TestJudge(t *testing.T) {
	root := write(t, map[string]string{"p.toml": example, "systemd.policy": `{"PrivateNetwork": {"weight": 0}}`})
	p, err := policy.Load(root, "/p.toml")
	if err != nil {
		t.Fatal(err)
	}
	if w := p.Rows["PrivateNetwork"].Weight; w == nil || *w != 0 {
		t.Errorf("systemd's policy says %v of PrivateNetwork, want the weight 0", w)
	}
	day := func(s string) time.Time {
		d, err := time.Parse(time.DateTime, s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	tests := []struct {
		names    string
		exposure int
		now      string
		want     string // threshold, over, fails
	}{
		{"cron.service", 50, "2026-06-01 00:00:00", "50 false false"},
		{"cron.service", 51, "2026-06-01 00:00:00", "50 true true"},
		{"cron.service", 51, "2025-06-01 00:00:00", "50 true false"},
		{"nginx.service", 36, "2026-06-01 00:00:00", "35 true true"},
		{"web.service nginx.service", 36, "2026-06-01 00:00:00", "35 true true"},
		{"getty@tty1.service", 96, "2026-06-01 00:00:00", "96 false false"},
		{"gdm.service", 96, "2026-06-01 00:00:00", "10 true true"},
		{"cups.service", 96, "2027-06-30 23:59:59", "50 true false"},
		{"cups.service", 96, "2027-07-01 00:00:00", "50 true true"},
	}
	for _, tt := range tests {
		j := p.Judge(strings.Fields(tt.names), tt.exposure, day(tt.now))
		if got := fmt.Sprint(*j.Threshold, j.Over, j.Fails()); got != tt.want {
			t.Errorf("%s with %d on %s: got %s, want %s", tt.names, tt.exposure, tt.now, got, tt.want)
		}
	}
	j := p.Judge([]string{"cups.service"}, 96, day("2027-07-01 00:00:00"))
	if want := "over its threshold of 5.0, and its waiver ended on 2027-06-30: needs devices"; j.Text() != want {
		t.Errorf("got %q, want %q", j.Text(), want)
	}
	if j := (&policy.Policy{}).Judge([]string{"x.service"}, 100, time.Now()); j.Over || j.Fails() || j.Text() != "" {
		t.Errorf("an empty policy finds %v", j)
	}
}

func TestLoadErrors(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"syntax":       {"threshold = 5\nunits = [", "/p.toml:2: "},
		"threshold":    {"threshold = 5.55", "/p.toml:1: threshold: 5.55 has more than one digit"},
		"tenths":       {"threshold = 101", `/p.toml:1: threshold: "101" is no threshold`},
		"not a number": {`threshold = "x"`, "/p.toml:1: threshold: want a number"},
		"of a unit":    {"[units]\n\"a.service\" = -1", `/p.toml:2: a.service: "-1" is no threshold`},
		"glob":         {"[units]\n\"[\" = 1", `/p.toml:2: "[" is no unit name or glob`},
		"unknown key":  {"treshold = 1", "/p.toml:1: treshold is no key"},
		"no reason": {
			"\n[[waiver]]\nunit=\"a.service\"\nuntil=\"2026-01-01\"",
			"/p.toml:2: waiver: a.service has no reason",
		},
		"no day": {
			"[[waiver]]\nunit=\"a.service\"\nreason=\"x\"\nuntil=\"1.1.2026\"",
			`/p.toml:1: waiver: until is "1.1.2026"`,
		},
		"no unit":       {"[[waiver]]\nreason=\"x\"\nuntil=\"2026-01-01\"", `/p.toml:1: waiver: unit is ""`},
		"missing rows":  {`rows = "x"`, "/p.toml:1: rows: "},
		"systemd range": {`{"PrivateNetwork": {"weight": -1, "range": 0}}`, "/p.toml: PrivateNetwork: range is 0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := policy.Load(write(t, map[string]string{"p.toml": tt.text}), "/p.toml")
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// TestSkipped reads a policy in which systemd finds nothing wrong: temper says what it passes over.
func TestSkipped(t *testing.T) {
	p, err := policy.Load(write(t, map[string]string{"p.json": `{
		"PrivateNet": {}, "PrivateUsers": 7, "CapabilityBoundingSet_CAP_NET_BIND_SERVICE_BROADCAST_RAW": {"weight": 1},
		"PrivateNetwork": {"wait": 1, "weight": -1, "range": 2.5, "description_bad": 5, "description_good": "good"}
	}`}), "/p.json")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"/p.json: CapabilityBoundingSet_CAP_NET_BIND_SERVICE_BROADCAST_RAW: systemd skips it, since it looks for " +
			"CapabilityBoundingSet_CAP_NET_BIND_SERVICE_BROADCAST_RAW)",
		`/p.json: "PrivateNet" is no row, want a json_field such as PrivateTmp: systemd skips it`,
		"/p.json: PrivateNetwork: description_bad is 5, want a text: systemd skips it",
		"/p.json: PrivateNetwork: range is 2.5, want a whole number: systemd skips it",
		`/p.json: PrivateNetwork: "wait" is no key, want weight, range, description_good, description_bad or description_na: systemd skips it`,
		"/p.json: PrivateNetwork: weight is -1, want a whole number: systemd skips it",
		"/p.json: PrivateUsers is no JSON object: systemd skips it",
	}
	var got []string
	for _, s := range p.Skipped {
		got = append(got, s.Error())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if c := p.Rows["PrivateNetwork"]; len(p.Rows) != 1 || c.Weight != nil || c.Range != nil || c.Bad != nil ||
		*c.Good != "good" {
		t.Errorf("got %+v", p.Rows)
	}
}

func TestDefault(t *testing.T) {
	p, err := policy.Default(write(t, map[string]string{"x": ""}))
	if err != nil || p.Rows != nil {
		t.Errorf("a root without a policy has %v, %v", p, err)
	}
	root := write(t, map[string]string{
		"usr/lib/systemd/systemd-analyze-security.policy": `{"PrivateTmp": {"weight": 1}}`,
		"etc/systemd/systemd-analyze-security.policy":     `{"PrivateTmp": {"weight": 2}}`,
	})
	p, err = policy.Default(root)
	if err != nil || *p.Rows["PrivateTmp"].Weight != 2 {
		t.Errorf("got %v, %v, want the policy in /etc", p, err)
	}
}

func TestParseThreshold(t *testing.T) {
	got := map[string]int{}
	for _, text := range []string{"0", "4.5", "10", "10.0", "11", "100", "0.1", "9.9"} {
		n, err := policy.ParseThreshold(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		got[text] = n
	}
	want := map[string]int{"0": 0, "4.5": 45, "10": 100, "10.0": 100, "11": 11, "100": 100, "0.1": 1, "9.9": 99}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, text := range []string{"", "x", "-1", "101", "50.5", "4.55", "NaN"} {
		if n, err := policy.ParseThreshold(text); err == nil {
			t.Errorf("%q is taken for %d", text, n)
		}
	}
}
