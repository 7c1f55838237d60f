package harness_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"temper/harness"
	"temper/harness/place"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

// quiet is a service with a trivial profile, to which a test adds a system call filter.
var quiet = trap{
	units: map[string]string{"/usr/lib/systemd/system/trap.service": "[Service]\nType=exec\n" +
		"ExecStart=/usr/local/bin/trap\n"},
	profile: `units = ["trap.service"]

[service]
LockPersonality = true

[prove]
settle = "100ms"

[[check]]
tcp = { address = "127.0.0.1:7777", expect = "ok" }
`,
}

// TestSystemdUnfiltered: if systemd sets no system call filters, the filters of the container do not count as its own.
func TestSystemdUnfiltered(t *testing.T) {
	where := boot(t, "trixie", place.File{
		Name: "/etc/systemd/system.conf.d/unfiltered.conf",
		Data: []byte("[Manager]\nManagerEnvironment=SYSTEMD_SECCOMP=0\n"),
	})
	v := quiet.prove(t, where, harness.Prove, harness.Options{})
	if got := outcome(v); got != "LockPersonality: no effect\n" {
		t.Errorf("%q, %v", got, v.Advisories)
	}
	upgraded(t, where)
	asks(t, where)
	leaks(t, where)
}

// leaks sees to it that a proof which cannot begin leaves no connection and no file open.
func leaks(t *testing.T, where *place.Place) {
	failing := quiet
	failing.profile = strings.Replace(quiet.profile, "[prove]", "[prove]\nsetup = [\"false\"]", 1)
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	before := open()
	for name, o := range map[string]harness.Options{
		"no such unit": {Unit: "none.service"},
		"no profile":   {Unit: "trap.service", Profiles: &profiles.Set{}},
		"its setup":    {Unit: "trap.service", Profile: failing.load(t, nil)},
	} {
		for range 3 {
			o.Place = where
			if v, err := harness.Prove(t.Context(), o); err == nil {
				t.Errorf("%s: %s, want an error", name, v.Result)
			}
		}
	}
	if after := open(); after != before {
		t.Errorf("%d files are open after proofs that could not begin, %d before", after, before)
	}
}

// asks checks that a verdict says what no trial could show, since a container withholds it from every service.
func asks(t *testing.T, where *place.Place) {
	devices, _ := os.ReadDir("/dev")
	missing := slices.IndexFunc(devices, func(e os.DirEntry) bool {
		_, err := where.Root().Lstat("/dev/" + e.Name())
		return e.Type()&os.ModeDevice != 0 && err != nil
	})
	if missing < 0 {
		t.Fatal("the machine has no device that the place has not")
	}
	device := "/dev/" + devices[missing].Name()
	asking := trap{
		units: map[string]string{"/usr/lib/systemd/system/trap.service": "[Service]\nType=exec\nExecReload=true\n" +
			"ExecStartPre=-date -s @0\n" +
			"ExecStart=/usr/local/bin/trap hush:open=" + device + "\n"},
		profile: strings.Replace(quiet.profile, "LockPersonality", "PrivateDevices = true\nProtectClock", 1),
	}
	v := asking.prove(t, where, harness.Prove, harness.Options{})
	for _, want := range []string{"openat(\"" + device + "\"", "clock_settime(", "a reload"} {
		if !slices.ContainsFunc(v.Advisories,
			func(e verdict.Evidence) bool { return e.Kind == "unseen" && strings.Contains(e.Text, want) }) {
			t.Errorf("nothing is said of %s: %s %v", want, v.Result, v.Advisories)
		}
	}
}

// upgraded checks that the fingerprint of a verdict has the program that was installed when the proof began: a program
// that replaces it during the proof was not tried by every trial.
func upgraded(t *testing.T, where *place.Place) {
	program := where.Root().Dir() + "/usr/local/bin/trap"
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	u := &unit.Unit{Assignments: []unit.Assignment{{
		Section: "Service", Name: "ExecStart",
		Value: "/usr/local/bin/trap",
	}}}
	take := func() string {
		f, err := verdict.Take(where.Root(), u, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		return f.Executable
	}
	before, steps := take(), 0
	v := quiet.prove(t, where, harness.Prove, harness.Options{Progress: func(string) {
		if steps++; steps == 1 {
			if err := where.WriteFile("/usr/local/bin/trap", data, 0o755); err != nil {
				t.Error(err)
			}
		}
	}})
	if now := take(); now == before || v.Fingerprint.Executable != before {
		t.Errorf("the verdict is about %s, tried was %s, replaced by %s", v.Fingerprint.Executable, before, now)
	}
}
