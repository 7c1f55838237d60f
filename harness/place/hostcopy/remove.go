package hostcopy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"temper/harness/place/namespace"
	"temper/harness/place/overlay"
)

// IsScratch reports whether a path is that of a directory in which copies are recorded.
func IsScratch(name string) bool { return strings.HasPrefix(name, "/run/temper-cover-") }

// RemoveLeftovers takes away the copies that are recorded in a scratch directory whose process has ended.
func RemoveLeftovers(scratch string) error {
	return namespace.InMounts(1, func() error {
		c := &Copies{scratch: scratch}
		if data, err := os.ReadFile(filepath.Join(scratch, recordName)); err == nil {
			if err := json.Unmarshal(data, &c.record); err != nil {
				return fmt.Errorf("%s: %w", filepath.Join(scratch, recordName), err)
			}
		}
		return c.unmountAll()
	})
}

// unmountAll takes the copies away, and what was made for them. What does not exist is no error.
func (c *Copies) unmountAll() error {
	errs := []error{}
	for _, dir := range c.Dirs {
		errs = append(errs, unmount(dir))
	}
	for _, dir := range c.Made {
		errs = append(errs, removeExisting(dir))
	}
	return errors.Join(append(errs, unmount(c.scratch), removeExisting(c.scratch))...)
}

func removeExisting(name string) error {
	if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// unmount takes away what this package has mounted at a path.
func unmount(dir string) error {
	mounts, err := mountinfo.GetMounts(mountinfo.SingleEntryFilter(dir))
	if err != nil || len(mounts) == 0 || mounts[0].Source != overlay.Source {
		return err
	}
	if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount %s: %w", dir, err)
	}
	return nil
}
