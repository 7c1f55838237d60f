package watch

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/fsnotify/fsnotify"
)

// cgroups is the tree of cgroups in which systemd runs services.
type cgroups struct {
	dir     string
	changes *fsnotify.Watcher
}

// openCgroups begins to follow which cgroups appear and go below dir, the mount point of cgroup2.
func openCgroups(dir string) (*cgroups, error) {
	changes, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	return &cgroups{dir: dir, changes: changes}, nil
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

// isChange reports whether a cgroup has appeared or gone.
func isChange(e fsnotify.Event) bool { return e.Has(fsnotify.Create) || e.Has(fsnotify.Remove) }
