package shard_test

import (
	"fmt"
	"strings"
	"testing"

	"temper/survey/shard"
)

// TestEveryPackageOnce: the shards of any number have every package once, and none has much more than its share.
func TestEveryPackageOnce(t *testing.T) {
	for _, count := range []int{1, 2, 3, 7, 64} {
		sizes := make([]int, count)
		for n := range 2000 {
			owners := 0
			for i := range count {
				if (shard.Shard{Index: i, Count: count}).Has(fmt.Sprintf("package-%d", n)) {
					owners++
					sizes[i]++
				}
			}
			if owners != 1 {
				t.Fatalf("of %d shards %d have package-%d", count, owners, n)
			}
		}
		for i, size := range sizes {
			if size < 2000/count/3 || size > 2000/count*3 {
				t.Errorf("shard %d of %d has %d of 2000", i, count, size)
			}
		}
	}
}

// TestHasIsFixed: results of two versions of temper on two machines belong together.
func TestHasIsFixed(t *testing.T) {
	want := map[string]int{"nginx": 0, "chrony": 3, "redis-server": 1, "bind9": 1}
	got := map[string]int{}
	for name := range want {
		for i := range 4 {
			if (shard.Shard{Index: i, Count: 4}).Has(name) {
				got[name] = i
			}
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"1/1": "1/1", "2/3": "2/3", "4/4": "4/4", "0/4": "want I/N", "5/4": "want I/N", "": "want I/N", "1": "want I/N",
		"a/b": "want I/N", "-1/2": "want I/N", "1/0": "want I/N",
	} {
		s, err := shard.Parse(text)
		if got := s.String(); err != nil {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v", text, err)
			}
		} else if got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

func TestFromEnvironment(t *testing.T) {
	for _, tc := range []struct {
		name   string
		env    map[string]string
		shards int
		want   string
	}{
		{"alone", nil, 0, "1/1"},
		{"one", nil, 1, "1/1"},
		{"many, none named", nil, 4, "nothing says which"},
		{"slurm", map[string]string{"SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_TASK_COUNT": "4"}, 0, "1/4"},
		{"slurm, last", map[string]string{"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "4"}, 0, "4/4"},
		{
			"slurm, from 1",
			map[string]string{"SLURM_ARRAY_TASK_ID": "4", "SLURM_ARRAY_TASK_COUNT": "4"},
			0, "want 0 to 3",
		},
		{"slurm, one again", map[string]string{"SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_TASK_COUNT": "1"}, 4, "3/4"},
		{
			"slurm, one again, count not said",
			map[string]string{"SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_TASK_COUNT": "1"},
			0, "want 0 to 0",
		},
		{"kubernetes", map[string]string{"JOB_COMPLETION_INDEX": "1"}, 2, "2/2"},
		{"kubernetes, count not said", map[string]string{"JOB_COMPLETION_INDEX": "1"}, 0, "nothing says how many"},
		{"gitlab", map[string]string{"CI_NODE_INDEX": "1", "CI_NODE_TOTAL": "3"}, 0, "1/3"},
		{"gitlab, wrong", map[string]string{"CI_NODE_INDEX": "0", "CI_NODE_TOTAL": "3"}, 0, "want 1 to 3"},
		{"buildkite", map[string]string{"BUILDKITE_PARALLEL_JOB": "2", "BUILDKITE_PARALLEL_JOB_COUNT": "3"}, 0, "3/3"},
		{"no number", map[string]string{"CI_NODE_INDEX": "x", "CI_NODE_TOTAL": "3"}, 0, "want a number"},
	} {
		s, err := shard.FromEnvironment(func(name string) string { return tc.env[name] }, tc.shards)
		got := s.String()
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, tc.want) {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}
