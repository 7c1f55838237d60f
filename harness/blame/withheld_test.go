package blame_test

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"temper/harness/blame"
	"temper/harness/witness"
)

// TestWithheld: the place withholds only what it refuses to root, and only for capabilities that have no effect there.
func TestWithheld(t *testing.T) {
	nice := func(capability, call string) bool { return capability == "CAP_SYS_NICE" && call != "mbind" }
	for _, tc := range []struct {
		name   string
		denial witness.Denial
		want   bool
	}{
		{"root", witness.Denial{Syscall: "sched_setscheduler", Errno: "EPERM", Root: true}, true},
		{
			"a user, whom the machine refuses it too",
			witness.Denial{Syscall: "sched_setscheduler", Errno: "EPERM"},
			false,
		},
		{"a filter of the service", witness.Denial{
			Syscall: "sched_setscheduler", Errno: "EPERM", Root: true,
			Filtered: true,
		}, false},
		{"niceness has an error of its own", witness.Denial{Syscall: "setpriority", Errno: "EACCES", Root: true}, true},
		{"another call", witness.Denial{Syscall: "mbind", Errno: "EPERM", Root: true}, false},
		{"another capability", witness.Denial{Syscall: "reboot", Errno: "EPERM", Root: true}, false},
		{"another error", witness.Denial{Syscall: "sched_setscheduler", Errno: "EINVAL", Root: true}, false},
	} {
		if got := blame.Withheld(witness.Record{Denials: []witness.Denial{tc.denial}}, nice); len(got) > 0 != tc.want {
			t.Errorf("%s: withheld %v, want %v", tc.name, got, tc.want)
		}
	}
}

// TestUntestable: every directive that may refuse the call is named, and the capability is an exact exception.
func TestUntestable(t *testing.T) {
	in := input(set("RestrictRealtime", "yes"), set("CapabilityBoundingSet", "CAP_KILL"), set("ProtectClock", "yes"))
	denied := witness.Denial{
		Syscall: "sched_setscheduler", Errno: "EPERM", Args: [6]uint64{0, unix.SCHED_RR},
		Process: "web", Root: true,
	}
	var got []string
	for _, p := range blame.NewService(in, files{root: t.TempDir()}).Untestable([]witness.Denial{denied}, applied(in)) {
		got = append(got, p.Directive.Name)
		if p.Directive.Name == "CapabilityBoundingSet" && !slices.Equal(p.Names, []string{"CAP_SYS_NICE"}) {
			t.Errorf("exceptions %q", p.Names)
		}
	}
	slices.Sort(got)
	if want := []string{"CapabilityBoundingSet", "RestrictRealtime"}; !slices.Equal(got, want) {
		t.Errorf("named are %q, want %q", got, want)
	}
}
