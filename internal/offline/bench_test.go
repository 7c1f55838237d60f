package offline_test

import (
	"testing"

	"temper/analyzer/exposure"
	"temper/internal/host"
	"temper/internal/offline"
	"temper/internal/unit"
)

func benchmark(b *testing.B, score func(*unit.Unit, exposure.Options) (exposure.Report, error)) {
	root := extract(b, "testdata/golden.txtar")
	src := offline.Source{Root: host.At(root), Path: []string{"/ut"}, Version: 257}
	var units []*unit.Unit
	for u, err := range src.All() {
		if err == nil {
			units = append(units, u)
		}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		_, _ = score(units[i%len(units)], exposure.Options{Version: 257, Arch: "x86_64"}) // some are refused
		i++
	}
}

// BenchmarkScore scores the golden units in turn, with all rows.
func BenchmarkScore(b *testing.B) { benchmark(b, offline.Score) }

// BenchmarkSum scores them without rows.
func BenchmarkSum(b *testing.B) { benchmark(b, offline.Sum) }
