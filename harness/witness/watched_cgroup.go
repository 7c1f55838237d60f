package witness

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// cgroup is the watched cgroup. The BPF programs watch its parent, since systemd makes the cgroup of a unit when it
// starts the unit, and removes it when the unit stops. They record the id of the child, and the names of the children
// are read as they appear. A child that has ended before its name was read counts as the watched one, so that nothing
// is lost.
type cgroup struct {
	name   string   // last part of its path
	parent *os.File // open directory
	id     uint64   // of the parent
	root   uint32   // the user to whom the parent belongs: in a container its root
	made   []string // directories that were made, the outermost first
	watch  *os.File // inotify instance: children that appear
	done   sync.WaitGroup

	mu       sync.Mutex
	children map[uint64]string // name by id
}

// openCgroup prepares to watch the cgroup at path. It makes missing parents.
func openCgroup(path string) (*cgroup, error) {
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("cgroup %q: want an absolute path", path)
	}
	dir, name := filepath.Split(filepath.Clean(path))
	c := &cgroup{name: name, children: map[uint64]string{}}
	if err := c.open(filepath.Clean(dir)); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	c.done.Go(c.follow)
	c.scan()
	return c, nil
}

func (c *cgroup) open(dir string) error {
	if err := c.make(dir); err != nil {
		return err
	}
	var err error
	if c.parent, err = os.Open(dir); err != nil {
		return err
	}
	var stat unix.Stat_t
	if err := unix.Fstat(int(c.parent.Fd()), &stat); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	c.id, c.root = stat.Ino, stat.Uid // the number of a cgroup2 directory is the cgroup's id
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("inotify: %w", err)
	}
	c.watch = os.NewFile(uintptr(fd), "inotify")
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_CREATE|unix.IN_ONLYDIR); err != nil {
		return fmt.Errorf("inotify %s: %w", dir, err)
	}
	return nil
}

// make makes dir and its missing parents. Each has the owner of its parent: that may be the root of a container with
// its own users, whose systemd must be able to use the cgroup.
func (c *cgroup) make(dir string) error {
	var stat unix.Statfs_t
	switch err := unix.Statfs(dir, &stat); {
	case err == nil && int64(stat.Type) == unix.CGROUP2_SUPER_MAGIC:
		return nil
	case err == nil:
		return fmt.Errorf("%s: is not in a cgroup2 file system", dir)
	case !errors.Is(err, fs.ErrNotExist) || dir == "/":
		return fmt.Errorf("%s: %w", dir, err)
	}
	if err := c.make(filepath.Dir(dir)); err != nil {
		return err
	}
	switch err := os.Mkdir(dir, 0o755); {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return err
	}
	c.made = append(c.made, dir)
	return inheritOwner(dir)
}

func inheritOwner(dir string) error {
	var stat unix.Stat_t
	if err := unix.Stat(filepath.Dir(dir), &stat); err != nil || int(stat.Uid) == os.Geteuid() {
		return err
	}
	for _, name := range []string{"", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"} {
		if err := os.Chown(filepath.Join(dir, name), int(stat.Uid), int(stat.Gid)); err != nil {
			return err
		}
	}
	return nil
}

// follow reads the names of new children until the inotify instance is closed.
func (c *cgroup) follow() {
	buf := make([]byte, 64<<10)
	for {
		if _, err := c.watch.Read(buf); err != nil {
			return
		}
		c.scan() // there are few children, so it reads all of them
	}
}

// scan reads the names of all children.
func (c *cgroup) scan() {
	entries, err := os.ReadDir(c.parent.Name())
	if err != nil {
		return // the parent is gone, and all its children with it
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if info, err := e.Info(); err == nil {
			c.children[info.Sys().(*syscall.Stat_t).Ino] = e.Name()
		}
	}
}

// has reports whether the child with this id is the watched cgroup. 0 is the parent itself.
func (c *cgroup) has(id uint64) bool {
	if id == 0 || id == c.id {
		return false
	}
	if name, known := c.nameOf(id); known {
		return name == c.name
	}
	c.scan()
	name, known := c.nameOf(id)
	if !known {
		c.mu.Lock()
		c.children[id] = c.name
		c.mu.Unlock()
	}
	return !known || name == c.name
}

func (c *cgroup) nameOf(id uint64) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name, known := c.children[id]
	return name, known
}

// Close stops following and removes the directories that were made, except those that have come into use.
func (c *cgroup) Close() error {
	var err error
	if c.watch != nil {
		err = c.watch.Close()
		c.done.Wait()
	}
	if c.parent != nil {
		err = errors.Join(err, c.parent.Close())
	}
	for i := len(c.made) - 1; i >= 0; i-- {
		rerr := unix.Rmdir(c.made[i])
		used := errors.Is(rerr, unix.EBUSY) || errors.Is(rerr, unix.ENOTEMPTY)
		if rerr != nil && !used && !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, fmt.Errorf("%s: %w", c.made[i], rerr))
		}
	}
	return err
}
