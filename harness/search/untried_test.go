package search

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"temper/generator"
	"temper/harness/trial"
	"temper/harness/witness"
)

// TestUntried: the place cannot prove a directive that refuses what the place withholds anyway. The directive is left
// out, or keeps exactly the capability, and the search does not put that back, whatever the launches show.
func TestUntried(t *testing.T) {
	f := &fake{
		breaks: func(generator.Plan) bool { return false },
		show: func(r *trial.Result, _ generator.Plan) {
			r.Withheld = []witness.Denial{{
				Syscall: "sched_setscheduler", Errno: "EPERM", Args: [6]uint64{0, unix.SCHED_RR}, Process: "web",
				Root: true,
			}}
		},
	}
	out, err := f.run()
	if err != nil {
		t.Fatal(err)
	}
	if has(out.Plan, "RestrictRealtime") || !capable(out.Plan, "CAP_SYS_NICE") || capable(out.Plan, "CAP_SYS_TIME") {
		t.Errorf("the plan is\n%s", out.Plan.Text())
	}
	for _, d := range out.Demotions {
		if !slices.Contains([]string{"RestrictRealtime", "CapabilityBoundingSet"}, d.Directive) {
			t.Errorf("%s= was demoted", d.Directive)
		}
		if len(d.Evidence) != 1 || d.Evidence[0].Kind != "withheld" {
			t.Errorf("%s= was demoted for %v", d.Directive, d.Evidence)
		}
	}
	if len(out.Demotions) != 2 || f.launches > 2 {
		t.Errorf("%d demotions after %d launches", len(out.Demotions), f.launches)
	}
}
