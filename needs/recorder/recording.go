package recorder

import (
	"time"

	"temper/harness/witness"
	"temper/needs"
)

// A Recording is what a service does from its first start on.
type Recording struct {
	recorder Recorder
	uses     *witness.Uses
}

// Start begins a recording of a service that does not run yet. Of r it takes the control group and the root, and it
// stores nothing.
func (r Recorder) Start() (*Recording, error) {
	uses, err := witness.StartUses(r.Cgroup, r.matters)
	return &Recording{r, uses}, err
}

// Stop ends the recording and returns what was used, many like needs as one, and how much could not be recorded.
func (g *Recording) Stop() (list []needs.Need, lost uint64, err error) {
	uses, lost, err := g.uses.Stop()
	var record needs.Record
	record.Add(g.recorder.needs(uses), lost, time.Now())
	return record.Needs, record.Lost, err
}
