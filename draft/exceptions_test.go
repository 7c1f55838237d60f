package draft

import (
	"slices"
	"strings"
	"testing"
	"time"

	"temper/harness"
	"temper/harness/observe"
	"temper/internal/directive"
	"temper/internal/host"
	"temper/internal/unit"
	"temper/internal/values"
	"temper/internal/verdict"
	"temper/needs"
	"temper/profiles"
)

func library(t *testing.T) *profiles.Set {
	t.Helper()
	set, problems := profiles.Load(host.Root{}, []string{profiles.Builtin})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return set
}

// newTestSketch is the sketch of a unit with these lines under [Service].
func newTestSketch(t *testing.T, lines ...string) *sketch {
	t.Helper()
	u := &unit.Unit{Name: "web.service", ID: "web.service"}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, "=")
		u.Assignments = append(u.Assignments, unit.Assignment{Section: "Service", Name: name, Value: value})
	}
	s, err := newSketch(library(t), u, false, program{})
	if err != nil {
		t.Fatal(err)
	}
	s.version = 257
	return s
}

// TestStrictest: no base has a directive that the strictest one lacks, or a stronger value of one. What a service sees
// is asked for by itself.
func TestStrictest(t *testing.T) {
	set := library(t)
	best, _ := set.Get(strictest)
	for _, p := range set.Bases().All() {
		if p.Name == viewing {
			continue
		}
		for _, s := range p.Service {
			d, _ := directive.Lookup(s.Name)
			had, ok := best.Setting(s.Name)
			if !ok {
				t.Errorf("%s lacks %s of %s", strictest, s.Name, p.Name)
				continue
			}
			if !d.Ordered() {
				continue
			}
			mine, _ := d.Read(had.Values, values.Newest)
			other, _ := d.Read(s.Values, values.Newest)
			if other.Rank > mine.Rank {
				t.Errorf("%s of %s is stronger: %q, %q", s.Name, p.Name, s.Values, had.Values)
			}
		}
	}
}

// TestText: the profile is marked, is read back as it was meant, and has nothing that the base has already. What a
// service has chosen stays in comments.
func TestText(t *testing.T) {
	s := newTestSketch(t, "AmbientCapabilities=CAP_NET_BIND_SERVICE", "ExecReload=/bin/kill -HUP $MAINPID")
	s.reload = true
	s.noteObserved(needs.Record{})
	n := needs.Need{Kind: "path-readonly", Subject: "/srv/web/new", Program: "web", Count: 1}
	evil := "log says\n[service]\nProtectSystem = false\u2028x\x00"
	s.allow(harness.Baseline{
		Used: []needs.Need{n},
		Demotions: []verdict.Demotion{
			{
				Directive: "ReadWritePaths", To: "/srv/web",
				Evidence: []verdict.Evidence{{Kind: "used", Text: n.Evidence()}},
			},
		},
		Answers: map[string]observe.Facts{"tcp 0.0.0.0:80": {
			"a connection": "accepted", "the protocol": "HTTP", "status": "403 Forbidden",
		}},
		Ages: map[string][]time.Duration{"web": {5 * time.Second}, "worker of web": {2 * time.Second}},
	})
	s.checks = append(s.checks, check{name: "resolves"})
	s.learn(verdict.Verdict{
		Demotions: []verdict.Demotion{
			{
				Directive: "MemoryDenyWriteExecute", From: "yes", To: verdict.Off,
				Evidence: []verdict.Evidence{{Text: evil}},
			},
			{
				Directive: "LockPersonality", From: "yes", To: verdict.Off, Reason: "the service does not work with it",
				Evidence: []verdict.Evidence{{Kind: "log", Text: "hunter2"}},
			},
			{
				Directive: "RestrictRealtime", From: "yes", To: verdict.Off, Evidence: []verdict.Evidence{
					{Kind: "check", Text: "answers (http, running): hunter2"},
					{Kind: "refused", Text: "web: sched_setscheduler(): EPERM"},
					{Kind: "baseline", Text: "tcp *:80 answers a client, asked for status: hunter2; without hardening: hunter2"},
				},
			},
			{Directive: "ReadWritePaths", From: "-/srv/web", To: "-/srv/web\n/var/lib/web"},
		},
		Advisories: []verdict.Evidence{{Kind: "unseen", Text: evil}},
		Use: &verdict.Use{Checks: []verdict.Check{
			{Name: "resolves", Result: verdict.SetAside, Reason: "it answers hunter2"},
		}},
	})
	text := s.text()
	for _, want := range []string{
		"draft       = true\n", "extends     = [\"base/strict\"]\n", "# \"web\" writes /srv/web/new\n",
		"ReadWritePaths = [\"-/srv/web\", \"-/var/lib/web\"]\n", "MemoryDenyWriteExecute = false\n",
		"CapabilityBoundingSet = [\"CAP_NET_BIND_SERVICE\"]\n", "reload = true\n", "settle = \"5s\"\n",
		"http = { url = \"http://{address:80}/\", status = 403 }\n", "sudo temper observe web.service\n",
		"# - whether it resolves: its check fails alike without",
		"# the service does not work with it\nLockPersonality = false\n", "# a trial failed: answers (http, running)\n",
		"# a trial failed: web: sched_setscheduler(): EPERM\n",
		"# a trial failed: tcp *:80 answers a client, asked for status\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	for _, not := range []string{"PrivateTmp", "\u2028", "\x00", "hunter2"} {
		if strings.Contains(text, not) {
			t.Errorf("it has %q", not)
		}
	}
	p, err := s.profile()
	if err != nil || !p.Draft || !slices.Equal(p.Units, []string{"web.service"}) || len(p.Checks) != 1 {
		t.Fatalf("%+v, %v", p, err)
	}
	for _, x := range p.Service {
		if x.Name == "ProtectSystem" && !slices.Equal(x.Values, []string{"strict"}) {
			t.Errorf("a comment became a setting: %+v", x)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// TestView: a profile for a service that is to see only what it needs lists that alone: nothing that the base shows,
// nothing twice, and nothing as writable and as read-only.
func TestView(t *testing.T) {
	s, err := newSketch(library(t), &unit.Unit{Name: "web.service", ID: "web.service"}, true, program{})
	if err != nil {
		t.Fatal(err)
	}
	s.version = 257
	demotion := func(name string, need needs.Need, to ...string) verdict.Demotion {
		return verdict.Demotion{
			Directive: name, To: verdict.Join(to), Evidence: []verdict.Evidence{{Kind: "used", Text: need.Evidence()}},
		}
	}
	reads := needs.Need{Kind: "path-hidden", Subject: "/etc/web/a", Program: "web", Count: 1}
	writes := needs.Need{Kind: "path-readonly", Subject: "/var/lib/web/b", Program: "web", Count: 1}
	shown := append(slices.Clone(s.setting("BindReadOnlyPaths").values), "/etc/web", "/etc/web/sub", "/var/lib/web/x")
	s.allow(harness.Baseline{Used: []needs.Need{reads, writes}, Demotions: []verdict.Demotion{
		demotion("BindReadOnlyPaths", reads, shown...),
		demotion("BindPaths", writes, "/var/lib/web", "/var/log/web.log", "/var/spool"),
		demotion("ReadWritePaths", writes, "/var/lib/web", "/var/log/web.log"),
	}})
	text := s.text()
	for _, want := range []string{
		"\"base/view\"]\n", "# \"web\" sees /etc/web/a\nBindReadOnlyPaths = [\"-/etc/web\"]\n",
		"# \"web\" writes /var/lib/web/b\n# all of /var/spool, where others keep files too\n",
		"\nBindPaths = [\"-/var/lib/web\", \"-/var/log/web.log\", \"-/var/spool\"]\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	for _, not := range []string{"TemporaryFileSystem", "ReadWritePaths", "/etc/passwd"} {
		if strings.Contains(text, not) {
			t.Errorf("it has %q", not)
		}
	}
	p, err := s.profile()
	if err != nil {
		t.Fatal(err)
	}
	if list, _ := p.Setting("BindReadOnlyPaths"); !strings.Contains(strings.Join(list.Values, " "), "/etc/passwd") {
		t.Errorf("the list of the base is lost: %q", list.Values)
	}
	if t.Failed() {
		t.Log(text)
	}
}

// TestViewReads: a service that writes nothing where it sees only what it needs has a list of what it sees all the
// same, and none of it is lost where two needs name one path.
func TestViewReads(t *testing.T) {
	s, err := newSketch(library(t), &unit.Unit{Name: "web.service", ID: "web.service"}, true, program{})
	if err != nil {
		t.Fatal(err)
	}
	s.version = 257
	shown := slices.Concat(s.setting("BindReadOnlyPaths").values,
		[]string{"/etc/web", "/etc/web/sub", "-/etc/web", "/etc/y"})
	s.allow(harness.Baseline{Demotions: []verdict.Demotion{{
		Directive: "BindReadOnlyPaths", To: verdict.Join(shown), Evidence: []verdict.Evidence{{Text: "/etc/web/a"}},
	}}})
	text := s.text()
	for _, want := range []string{`"-/etc/web"`, `"-/etc/y"`, "what it reads at other times"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if strings.Contains(text, "/etc/web/sub") {
		t.Error("it has what /etc/web shows already")
	}
	if t.Failed() {
		t.Log(text)
	}
}

// TestShortest: every directive of every base can be turned off, and the profile still says so.
func TestShortest(t *testing.T) {
	s := newTestSketch(t)
	for _, x := range s.settings {
		x.values = nil
		p, err := s.profile()
		if err != nil {
			t.Fatal(err)
		}
		had, has := p.Setting(x.directive.Name)
		if has && x.directive.Merge(directive.NewContext(s.version, nil), had.Values).Lines != nil {
			t.Errorf("%s is still %q", x.directive.Name, had.Values)
		}
		for _, other := range s.settings {
			if _, has := p.Setting(other.directive.Name); !has && other.values != nil {
				t.Errorf("without %s, %s is lost too", x.directive.Name, other.directive.Name)
			}
		}
	}
}

// TestChecks: what answers at a place that is the same next time becomes a check, the strongest that there is.
func TestChecks(t *testing.T) {
	accepts := func(more ...string) observe.Facts {
		facts := observe.Facts{"a connection": "accepted"}
		for i := 0; i < len(more); i += 2 {
			facts[more[i]] = more[i+1]
		}
		return facts
	}
	for where, tc := range map[string]struct {
		facts observe.Facts
		want  string
	}{
		"tcp 0.0.0.0:443": {
			accepts("the protocol", "HTTP", "TLS", "N", "status", "200 OK"), "answers HTTP at port 443",
		},
		"tcp 127.0.0.1:6379": {
			accepts("the protocol", "Redis", "the answer", "+PONG"), "answers Redis at port 6379",
		},
		"udp 0.0.0.0:53":   {accepts("the protocol", "DNS", "the answer", "code 5"), "answers DNS at port 53"},
		"tcp [::]:25":      {accepts("the protocol", "SMTP", "a greeting", "N"), "greets with SMTP at port 25"},
		"tcp 0.0.0.0:4730": {accepts("a greeting", "none"), "accepts connections at port 4730"},
		"tcp 0.0.0.0:80": {
			accepts("the protocol", "HTTP", "status", "no answer"), "accepts connections at port 80",
		},
		"unix /run/x.sock":  {accepts(), "accepts connections at /run/x.sock"},
		"unix x y":          {accepts(), ""},
		"tcp 0.0.0.0:41234": {accepts(), ""},
		"tcp 0.0.0.0:81":    {observe.Facts{"a connection": "refused"}, ""},
		"the bus name org.x.Y": {
			observe.Facts{"the description of /": "read"}, "describes itself on the bus as org.x.Y",
		},
		"the bus name org.x.No": {observe.Facts{"the description of /": "refused"}, ""},
	} {
		c := checkOf(where, tc.facts)
		if c.name != tc.want {
			t.Errorf("%s: got %q, want %q", where, c.name, tc.want)
		}
		if c.name == "" {
			continue
		}
		text := "[[check]]\nname = " + quote(c.name) + "\n" + c.lines
		p, err := profiles.ParseText("x", text, nil)
		if err != nil || len(p.Checks) != 1 {
			t.Errorf("%s: %v\n%s", where, err, text)
		}
	}
	twice := map[string]observe.Facts{"tcp 0.0.0.0:4730": accepts(), "tcp [::]:4730": accepts()}
	if list := checksOf(twice); len(list) != 1 {
		t.Errorf("one port has the checks %+v", list)
	}
}
