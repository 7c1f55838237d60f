package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"syscall"

	"temper/internal/host"
	"temper/profiles"
)

// probeFile checks a file as the place sees it, not as the service does: it does not see files in a private directory
// of the service.
func probeFile(c profiles.FileCheck) probe {
	return func(_ context.Context, env Env) (text string, err error) {
		err = env.Place.Inside(func() error { text, err = checkFile(c, env.Place); return err })
		return text, err
	}
}

func checkFile(c profiles.FileCheck, where Place) (string, error) {
	root := where.Root()
	c.Path = ofPlace(c.Path)
	info, err := root.Stat(c.Path)
	if !c.Exists && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)) {
		return c.Path + " does not exist", nil
	}
	if err != nil {
		return "", err
	}
	if !c.Exists {
		return "", fmt.Errorf("%s: want no such file, but it exists", c.Path)
	}
	err = errors.Join(modeIs(c, info), ownerIs(where, c, info), contentHas(root, c))
	return fmt.Sprintf("%s exists, %v, %d bytes", c.Path, info.Mode(), info.Size()), err
}

func modeIs(c profiles.FileCheck, info fs.FileInfo) error {
	if c.Mode == "" {
		return nil
	}
	want, err := strconv.ParseUint(c.Mode, 8, 12)
	if err != nil {
		return final{fmt.Errorf("mode %q: want octal digits such as 0644", c.Mode)}
	}
	if got := uint64(info.Sys().(*syscall.Stat_t).Mode & 0o7777); got != want {
		return fmt.Errorf("%s: want mode %04o, got %04o", c.Path, want, got)
	}
	return nil
}

// ownerIs compares the owner with USER, USER:GROUP or :GROUP, each a number or a name of the place.
func ownerIs(where Place, c profiles.FileCheck, info fs.FileInfo) error {
	user, group, _ := strings.Cut(c.Owner, ":")
	stat := info.Sys().(*syscall.Stat_t)
	return errors.Join(
		idIs(where.Root(), c.Path, "owner", "/etc/passwd", user, where.IDInside(stat.Uid)),
		idIs(where.Root(), c.Path, "group", "/etc/group", group, where.IDInside(stat.Gid)))
}

func idIs(root host.Root, path, what, table, want string, got uint32) error {
	if want == "" {
		return nil
	}
	names, err := root.ReadFile(table)
	if err != nil {
		return err
	}
	number, name := strconv.FormatUint(uint64(got), 10), nameOf(string(names), got)
	if want == number || want == name {
		return nil
	}
	return fmt.Errorf("%s: want %s %s, got %s", path, what, want, strings.TrimSpace(name+" ("+number+")"))
}

// nameOf finds the name of an id in the text of passwd(5) or group(5). Both have the name in the first and the id in
// the third field; the first line with the id counts, as in getpwuid(3). It returns "" for an id without a name.
func nameOf(table string, id uint32) string {
	number := strconv.FormatUint(uint64(id), 10)
	for line := range strings.Lines(table) {
		if f := strings.Split(line, ":"); len(f) > 2 && f[2] == number {
			return f[0]
		}
	}
	return ""
}

func contentHas(root host.Root, c profiles.FileCheck) error {
	if c.Contains == "" {
		return nil
	}
	data, err := root.ReadFile(c.Path)
	if err != nil {
		return err
	}
	return want(c.Path, c.Contains, string(data))
}
