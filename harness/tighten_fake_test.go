package harness

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/generator"
	"temper/harness/trial"
	"temper/harness/witness"
	"temper/internal/unit"
	"temper/profiles"
)

// TestTightenBlind: where the kernel has no witness, bisection finds what is needed: in k log n launches, not in n.
func TestTightenBlind(t *testing.T) {
	p := &profiles.Profile{Name: "loose", Service: []profiles.Setting{
		{Name: "ProtectSystem", Values: []string{"strict"}, Profile: "loose"},
		{Name: "ReadWritePaths", Values: []string{"/a /b", "/c", "/d"}, Profile: "base"},
		{Name: "CapabilityBoundingSet", Values: []string{"CAP_CHOWN CAP_KILL CAP_SYS_NICE CAP_SYS_PTRACE"}, Profile: "loose"},
	}}
	in := generator.Input{Unit: &unit.Unit{Name: "x.service", ID: "x.service"}, Profile: p, Named: true, Version: 257}
	f := &fake{breaks: func(plan generator.Plan) bool {
		return !slices.Contains(lines(plan, "ReadWritePaths"), "-/b") || !capable(plan, "CAP_KILL")
	}}
	s := &search{input: in}
	tight := &tightening{
		plan: func(taken []grant) generator.Plan { return s.without(nil, taken) }, try: f.try, version: 257,
		refused: func(trial.Result) witness.Record { return witness.Record{} }, real: func(name string) string { return name },
	}
	idle, err := tight.run(context.Background(), tight.effective(grants(in, nil)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range loose(in, idle) {
		got = append(got, l.Profile+": "+l.Right)
	}
	want := []string{`base: ReadWritePaths = ["/b"]`, `loose: CapabilityBoundingSet = ["CAP_KILL"]`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if f.launches > 9 {
		t.Errorf("%d launches", f.launches)
	}
}
