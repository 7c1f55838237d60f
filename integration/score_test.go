package integration_test

import (
	"flag"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"temper/harness/place"
)

// sinceOffline is the first systemd that scores unit files without the manager, for a tenth of the time.
const sinceOffline = 250

var sample = flag.Int("sample", 12, "have a systemd that scores slowly score one of `N` copies")

// overall is the last line of what systemd-analyze security says of a unit.
var overall = regexp.MustCompile(`Overall exposure level for (\S+): (\d+)\.(\d)`)

// scores compares the scores of systemd-analyze security: none may rise. Before systemd 250 only the manager can be
// asked, which takes a second for each thirty units: then one copy of -sample is.
func scores(t *testing.T, p *place.Place, copies []copied, version int) {
	t.Helper()
	flags := "--offline=true"
	if version < sinceOffline {
		flags = ""
		// Each time it is asked the manager reads all directories of unit files again, though they are loaded by now.
		command(t, p, "mv "+units+" /run/loaded")
		defer command(t, p, "mv /run/loaded "+units)
	}
	var ask []string
	wanted := 0
	for i, c := range copies {
		if c.text != "" && (version >= sinceOffline || i%*sample == 0) {
			ask = append(ask, instance(c.name), instance(c.plain))
			wanted++
		}
	}
	slices.Sort(ask)
	out := ""
	for part := range slices.Chunk(slices.Compact(ask), 100) {
		if err := p.WriteFile("/run/ask", []byte(strings.Join(part, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
		out += command(t, p, "xargs -P2 -n 50 systemd-analyze security --no-pager "+flags+
			" </run/ask 2>&1 | grep Overall; true")
	}
	exposure := map[string]int{}
	for _, m := range overall.FindAllStringSubmatch(out, -1) {
		whole, _ := strconv.Atoi(m[2])
		tenth, _ := strconv.Atoi(m[3])
		exposure[m[1]] = whole*10 + tenth
	}
	compared, fell := 0, 0
	for _, c := range copies {
		before, ok := exposure[instance(c.plain)]
		after, also := exposure[instance(c.name)]
		if !ok || !also || c.text == "" {
			continue
		}
		compared++
		if after > before {
			t.Errorf("%s with %s: exposure %d, was %d\n%s", c.of, c.from, after, before, c.text)
		}
		if after < before {
			fell++
		}
	}
	t.Logf("%d scores of systemd compared, %d fell", compared, fell)
	if compared < wanted*9/10 || fell < compared/2 {
		t.Errorf("of %d copies only %d scores were compared, %d fell:\n%.500s", wanted, compared, fell, out)
	}
}

// complaint is a warning of the manager about a file of a copy.
var complaint = regexp.MustCompile(`/(hard\d+|plain)-([^/\s]+[.]service)([.]d/[^/\s:]+)?:\d+: (.*)`)

// complaints finds what the manager said of a copy with temper's drop-in and not of the plain one.
func complaints(t *testing.T, p *place.Place, copies []copied) {
	t.Helper()
	plain, hard := map[string]int{}, map[string]map[string]int{}
	out := command(t, p, "journalctl --sync 2>/dev/null; journalctl -b -o cat --no-pager _PID=1")
	for _, m := range complaint.FindAllStringSubmatch(out, -1) {
		if m[1] == "plain" {
			plain[m[2]+": "+m[4]]++
			continue
		}
		if hard[m[1]+"-"+m[2]] == nil {
			hard[m[1]+"-"+m[2]] = map[string]int{}
		}
		hard[m[1]+"-"+m[2]][m[2]+": "+m[4]]++
	}
	for _, c := range copies {
		for text, n := range hard[c.name] {
			if n > plain[text] {
				t.Errorf("%s with %s: systemd says %q %d times, of the plain unit %d times\n%s", c.of, c.from, text, n,
					plain[text], c.text)
			}
		}
	}
	if len(plain) == 0 {
		t.Errorf("the manager complains of no unit of a whole distribution, which nobody believes:\n%.500s", out)
	}
	t.Logf("%d complaints of plain units, %d copies complained of", len(plain), len(hard))
}
