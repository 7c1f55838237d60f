package harness

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/harness/witness"
)

// TestMissed: what the witness lost is told with what it saw.
func TestMissed(t *testing.T) {
	seen := Trial{Refused: witness.Record{Denials: []witness.Denial{{}}}}
	lost := seen
	lost.Refused.Dropped = 7
	if got := missed(seen); got != nil {
		t.Errorf("nothing was lost, but %v", got)
	}
	want := append(seen.record(1).Refused, "7 more system calls failed, too fast for the witness to tell which")
	if diff := cmp.Diff(want, lost.record(1).Refused); diff != "" {
		t.Error(diff)
	}
}
