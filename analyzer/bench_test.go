package analyzer_test

import (
	"testing"

	"temper/analyzer"
	"temper/analyzer/load"
	"temper/internal/host"
	"temper/internal/unit"
)

func benchmark(b *testing.B, score func(*unit.Unit, analyzer.Options) (analyzer.Report, error)) {
	root := extract(b, "testdata/golden.txtar")
	src := load.Source{Root: host.Root(root), Path: []string{"/ut"}, Version: 257}
	var units []*unit.Unit
	for u, err := range src.All() {
		if err == nil {
			units = append(units, u)
		}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		_, _ = score(units[i%len(units)], analyzer.Options{Version: 257, Arch: "x86_64"}) // some are refused
		i++
	}
}

// BenchmarkScore scores the golden units in turn, with all rows.
func BenchmarkScore(b *testing.B) { benchmark(b, analyzer.Score) }

// BenchmarkSum scores them without rows.
func BenchmarkSum(b *testing.B) { benchmark(b, analyzer.Sum) }
