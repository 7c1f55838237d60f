package watch

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/fsnotify/fsnotify"
)

// cgroups is the tree of cgroups in which systemd runs services.
type cgroups struct {
	dir     string // the mount point of cgroup2
	starts  string // the directory with a link for each unit that runs, to the id of its start
	changes *fsnotify.Watcher
}

// startLink is the beginning of the names of the links in the directory of starts. systemd makes one before it executes
// the unit's first program.
const startLink = "invocation:"

// openCgroups begins to follow which cgroups appear and go, and which units start.
func openCgroups(dir, starts string) (*cgroups, error) {
	changes, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	if starts != "" {
		if err := changes.Add(starts); err != nil {
			return nil, errors.Join(err, changes.Close())
		}
	}
	return &cgroups{dir: dir, starts: starts, changes: changes}, nil
}

// start tells one start of a unit from the next one, for which systemd may keep the cgroup: it does where processes
// have stayed in it. It is empty where that is not known.
func (c *cgroups) start(unit string) string {
	id, _ := os.Readlink(filepath.Join(c.starts, startLink+unit))
	return id
}

// services returns the cgroup id of each service that runs. It looks into slices alone: what is below a service belongs
// to it, also the services of a user's manager.
func (c *cgroups) services() map[string]uint64 {
	found := map[string]uint64{}
	c.collect(c.dir, found)
	return found
}

func (c *cgroups) collect(dir string, found map[string]uint64) {
	// First the notification, then the list: what appears between the two is in both.
	_ = c.changes.Add(dir) // a slice that is gone has no services; without notifications the next timer finds them
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		switch name := strings.TrimPrefix(e.Name(), "_"); filepath.Ext(name) { // it escapes names such as cpu.service
		case ".slice":
			c.collect(filepath.Join(dir, e.Name()), found)
		case ".service":
			if info, err := e.Info(); err == nil {
				found[name] = info.Sys().(*syscall.Stat_t).Ino
			}
		}
	}
}

// isChange reports whether a cgroup has appeared or gone, or a unit has started.
func (c *cgroups) isChange(e fsnotify.Event) bool {
	if filepath.Dir(e.Name) == c.starts && !strings.HasPrefix(filepath.Base(e.Name), startLink) {
		return false
	}
	return e.Has(fsnotify.Create) || e.Has(fsnotify.Remove)
}
