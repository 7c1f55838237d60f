package harness_test

import (
	"path/filepath"
	"strings"
	"testing"

	"temper/harness"
)

// BenchmarkTraps prints for each trap how many launches and seconds a proof takes with the witness, without it, and
// with a search that adds one directive after the other.
func BenchmarkTraps(b *testing.B) {
	files, err := filepath.Glob(traps)
	if err != nil || len(files) == 0 {
		b.Fatalf("no traps: %v", err)
	}
	where := bootAs(b, "trixie", true) // some traps are proven only where root is trusted
	for _, file := range files {
		b.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(b *testing.B) {
			trap := readTrap(b, file)
			for _, way := range []struct {
				name string
				how  prover
				with harness.Options
			}{
				{"witness", harness.Prove, harness.Options{}},
				{"blind", harness.Prove, harness.Options{WithoutWitness: true}},
				{"one-by-one", harness.OneByOne, harness.Options{WithoutWitness: true}},
			} {
				launches, seconds := 0, 0.0
				for range b.N {
					v := trap.prove(b, where, way.how, way.with)
					launches += v.Trials
					seconds += v.Seconds
				}
				b.ReportMetric(float64(launches)/float64(b.N), way.name+"-launches")
				b.ReportMetric(seconds/float64(b.N), way.name+"-s")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}
