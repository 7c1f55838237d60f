package place

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"temper/internal/systemd"
)

// Sweep removes what killed processes have left: the cgroups of their containers with any process still in them, commands
// that they ran on the host, and copies that they mounted there. What belongs to living processes is not touched. Finding
// nothing is no error.
func Sweep(ctx context.Context) error {
	errs := []error{sweepRuns(ctx)}
	if systemd.Booted() {
		errs = append(errs, sweepCovers())
	}
	_, trees, err := hierarchies()
	if err != nil {
		return errors.Join(errs...) // without cgroup2 no container was ever made
	}
	for _, top := range trees {
		for _, dir := range []string{top, filepath.Join(top, "machine.slice")} {
			errs = append(errs, sweepDir(dir, func(path string) error { return removeGroup(ctx, path) }))
		}
	}
	return errors.Join(errs...)
}

// sweepDir calls remove for each orphaned directory in dir.
func sweepDir(dir string, remove func(path string) error) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		if e.IsDir() && Orphaned(e.Name()) {
			errs = append(errs, remove(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}

// sweepRuns stops the commands that dead processes ran on this machine's own systemd, and removes their files.
func sweepRuns(ctx context.Context) error {
	if !systemd.Booted() {
		return nil
	}
	return sweepDir("/run", func(path string) error {
		if !strings.HasPrefix(filepath.Base(path), "temper-run-") {
			return nil
		}
		manager, err := systemd.ConnectPrivate(ctx)
		if err != nil {
			return fmt.Errorf("connect to the machine's systemd: %w", err)
		}
		defer manager.Close()
		_, err = manager.StopUnit(ctx, filepath.Base(path)+".service")
		if errors.Is(err, systemd.ErrNotLoaded) {
			err = nil
		}
		return errors.Join(err, os.RemoveAll(path))
	})
}
