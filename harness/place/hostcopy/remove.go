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
func IsScratch(name string) bool { return strings.HasPrefix(name, scratchPrefix) }

const scratchPrefix = "/run/temper-cover-"

// RemoveLeftovers takes away the copies that are recorded in a scratch directory whose process has ended.
func RemoveLeftovers(scratch string) error {
	return namespace.InMounts(1, func() error {
		r, err := readRecord(scratch)
		if err != nil {
			return err
		}
		c := &Copies{scratch: scratch, record: r}
		return c.unmountAll()
	})
}

// readRecord reads the record in a scratch directory. It is empty where no step was taken yet.
func readRecord(scratch string) (r record, err error) {
	name := filepath.Join(scratch, recordName)
	data, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return r, nil
	case err != nil:
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
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
