package place

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"temper/harness/place/cgroup"
	"temper/harness/place/hostcopy"
	"temper/harness/place/owner"
	"temper/internal/systemd"
)

// RemoveLeftovers removes what killed processes have left: the cgroups of their containers with any process still in
// them and the trees that held these, commands that they ran on the host, and copies that they mounted there. It does
// not touch what belongs to living processes. To find nothing is no error.
func RemoveLeftovers(ctx context.Context) error {
	errs := []error{removeCommands(ctx)}
	if systemd.Booted() {
		errs = append(errs, eachLeftover("/run", func(path string) error {
			if !hostcopy.IsScratch(path) {
				return nil
			}
			return hostcopy.RemoveLeftovers(path)
		}))
	}
	_, trees, err := cgroup.Hierarchies()
	if err != nil {
		return errors.Join(errs...) // without cgroup2 no container was ever made
	}
	for _, top := range trees {
		for _, dir := range []string{top, filepath.Join(top, "machine.slice")} {
			errs = append(errs, eachLeftover(dir, func(path string) error { return cgroup.RemoveDir(ctx, path) }))
		}
	}
	return errors.Join(append(errs, cgroup.UnmountTrees())...)
}

// eachLeftover calls remove for each directory in dir whose name is that of a process that has ended.
func eachLeftover(dir string, remove func(path string) error) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		if e.IsDir() && owner.Gone(e.Name()) {
			errs = append(errs, remove(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}

// removeCommands stops the commands that dead processes ran on this machine's own systemd, and removes their files.
func removeCommands(ctx context.Context) error {
	if !systemd.Booted() {
		return nil
	}
	return eachLeftover("/run", func(path string) error {
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
