package trial

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/harness/witness"
)

// TestUnwitnessed: what the witness lost is told with what it saw.
func TestUnwitnessed(t *testing.T) {
	seen := Result{Refused: witness.Record{Denials: []witness.Denial{{}}}}
	lost := seen
	lost.Refused.Dropped = 7
	if got := seen.Unwitnessed(); got != nil {
		t.Errorf("nothing was lost, but %v", got)
	}
	want := append(seen.Record(1).Refused, "7 more system calls failed, too fast for the witness to tell which")
	if diff := cmp.Diff(want, lost.Record(1).Refused); diff != "" {
		t.Error(diff)
	}
}
