package harness_test

import (
	"path/filepath"
	"strings"
	"testing"

	"temper/harness"
)

// BenchmarkTraps prints for each trap how many launches and seconds a proof takes with the witness, without it, and
// with a search that adds one directive after the other, and the most launches that it may take. It fails where a proof
// takes more.
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
				name  string
				how   prover
				blind bool
				bound bool
			}{
				{"witness", harness.Prove, false, true},
				{"blind", harness.Prove, true, true},
				{"one-by-one", harness.OneByOne, true, false},
			} {
				launches, seconds := 0, 0.0
				for range b.N {
					v := trap.prove(b, where, way.how, harness.Options{WithoutWitness: way.blind})
					launches += v.Trials
					seconds += v.Seconds
					if !way.bound {
						continue
					}
					most := trap.launches(b, where, v, way.blind)
					b.ReportMetric(float64(most), way.name+"-bound")
					if v.Trials > most {
						b.Errorf("%s: %d launches, want at most %d", way.name, v.Trials, most)
					}
				}
				b.ReportMetric(float64(launches)/float64(b.N), way.name+"-launches")
				b.ReportMetric(seconds/float64(b.N), way.name+"-s")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}
