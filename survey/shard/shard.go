// Package shard divides packages among machines. Which shard has a package follows from a hash of its name alone, so
// that every machine divides alike, whatever else is in its list.
//
// Call [Parse] or [FromEnvironment], then [Shard.Has].
package shard

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"temper/internal/hint"
)

// A Shard is one of Count parts. The zero value has everything.
type Shard struct {
	Index int // from 0
	Count int // 0 and 1 are everything
	From  string
}

// String names the shard as people count, such as "1/4".
func (s Shard) String() string {
	if s.Count < 2 {
		return "1/1"
	}
	return fmt.Sprintf("%d/%d", s.Index+1, s.Count)
}

// Has reports whether a package belongs to the shard.
func (s Shard) Has(name string) bool {
	if s.Count < 2 {
		return true
	}
	sum := sha256.Sum256([]byte(name))
	return binary.BigEndian.Uint64(sum[:])%uint64(s.Count) == uint64(s.Index)
}

// Parse reads "I/N", where I counts from 1.
func Parse(text string) (Shard, error) {
	i, n, ok := strings.Cut(text, "/")
	index, err := strconv.Atoi(i)
	count, countErr := strconv.Atoi(n)
	if !ok || err != nil || countErr != nil || index < 1 || index > count {
		return Shard{}, fmt.Errorf("shard %q, want I/N with I from 1 to N, such as 1/4", text)
	}
	return Shard{Index: index - 1, Count: count, From: "--shard"}, nil
}

// A scheduler numbers the tasks of one job in its environment.
type scheduler struct {
	index, count string // variables; count is "" if the scheduler does not tell it
	first        int    // the number of the first task
	advice       string
}

var schedulers = []scheduler{
	{
		index: "SLURM_ARRAY_TASK_ID", count: "SLURM_ARRAY_TASK_COUNT",
		advice: "number the array from 0, as in sbatch --array=0-3",
	},
	{index: "JOB_COMPLETION_INDEX", advice: "pass spec.completions as --shards"},
	{index: "CI_NODE_INDEX", count: "CI_NODE_TOTAL", first: 1},
	{index: "BUILDKITE_PARALLEL_JOB", count: "BUILDKITE_PARALLEL_JOB_COUNT"},
}

// FromEnvironment returns the shard that a batch system gave to this process: Slurm's arrays, Kubernetes' indexed jobs,
// GitLab, CircleCI and Buildkite. shards is how many there are, and 0 if the batch system says so. Without a batch
// system it is everything, or an error if shards is more than 1.
func FromEnvironment(getenv func(string) string, shards int) (Shard, error) {
	for _, s := range schedulers {
		if getenv(s.index) != "" {
			return s.shard(getenv, shards)
		}
	}
	if shards > 1 {
		return Shard{}, hint.With(fmt.Errorf("there are %d shards, and nothing says which of them this is", shards),
			fmt.Sprintf("temper survey --shard 1/%d", shards))
	}
	return Shard{}, nil
}

func (s scheduler) shard(getenv func(string) string, shards int) (Shard, error) {
	index, err := strconv.Atoi(getenv(s.index))
	if err != nil {
		return Shard{}, fmt.Errorf("%s is %q, want a number", s.index, getenv(s.index))
	}
	count := shards
	if count == 0 && s.count != "" {
		if count, err = strconv.Atoi(cmp.Or(getenv(s.count), "0")); err != nil {
			return Shard{}, fmt.Errorf("%s is %q, want a number", s.count, getenv(s.count))
		}
	}
	index -= s.first
	switch {
	case count < 1:
		err = fmt.Errorf("%s is %s, and nothing says how many there are", s.index, getenv(s.index))
		return Shard{}, hint.With(err, cmp.Or(s.advice, "temper survey --shards N"))
	case index < 0 || index >= count:
		err = fmt.Errorf("%s is %s, want %d to %d", s.index, getenv(s.index), s.first, s.first+count-1)
		return Shard{}, hint.With(err, s.advice)
	}
	return Shard{Index: index, Count: count, From: s.index}, nil
}
