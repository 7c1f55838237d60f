package harness_test

import (
	"os"
	"testing"

	"temper/harness"
	"temper/harness/place"
	"temper/internal/unit"
	"temper/internal/verdict"
)

// quiet is a trap under one system call filter.
var quiet = trap{
	units: map[string]string{"/usr/lib/systemd/system/trap.service": "[Service]\nType=exec\nExecStart=/usr/local/bin/trap\n"},
	profile: `units = ["trap.service"]

[service]
LockPersonality = true

[prove]
settle = "100ms"

[[check]]
tcp = { address = "127.0.0.1:7777", expect = "ok" }
`,
}

// TestSystemdUnfiltered: where systemd makes no system call filters, those of the container do not pass for them.
func TestSystemdUnfiltered(t *testing.T) {
	where := boot(t, "trixie", place.File{
		Name: "/etc/systemd/system.conf.d/unfiltered.conf", Data: []byte("[Manager]\nManagerEnvironment=SYSTEMD_SECCOMP=0\n"),
	})
	v := quiet.prove(t, where, harness.Prove, harness.Options{})
	if got := outcome(v); got != "LockPersonality: no effect\n" {
		t.Errorf("%q, %v", got, v.Advisories)
	}
	upgraded(t, where)
}
