package place

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// Sweep removes what processes that were killed have left: the cgroups of their containers, and any process that is
// still in them. Places of processes that live are not touched. Finding nothing is no error.
func Sweep(ctx context.Context) error {
	_, all, err := hierarchies()
	if err != nil {
		return nil // no cgroup2, so no container was ever made
	}
	var errs []error
	for _, top := range all {
		for _, dir := range []string{top, filepath.Join(top, "machine.slice")} {
			errs = append(errs, sweepIn(ctx, dir))
		}
	}
	return errors.Join(errs...)
}

func sweepIn(ctx context.Context, dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		if e.IsDir() && orphaned(e.Name()) {
			errs = append(errs, removeGroup(ctx, filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}

// orphaned tells whether name is that of a cgroup whose maker has ended.
func orphaned(name string) bool {
	m := groupName.FindStringSubmatch(name)
	if m == nil {
		return false
	}
	pid, err := strconv.Atoi(m[1])
	if err != nil {
		return false
	}
	start, err := startTime(pid)
	return err != nil || start != m[2]
}
