package harness

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"temper/internal/host"
	"temper/internal/unit"
)

// A view is the files of a place as a service sees them.
type view struct {
	root   host.Root              // of the place
	inside string                 // the root directory of the service, "" if it is that of the place
	home   string                 // where relative paths of the service begin, as far as its unit says
	had    func(name string) bool // whether what is at a path of the place was there before the first trial
}

// view is what the service sees.
func (t *trials) view() view {
	v := view{root: t.place.Root(), had: func(name string) bool { return t.place.Had(name, t.began) }}
	if image, _ := t.unit.Last("Service", "RootImage"); image.Value != "" {
		v.had = func(string) bool { return false } // it is mounted where only the service sees it
	}
	own, _ := t.unit.Last("Service", "RootDirectory")
	if dir, err := t.unit.Expand(own.Value); err == nil && dir != "/" {
		v.inside = dir
	}
	v.home = home(t.unit)
	return v
}

// home is the working directory of a unit, "" if that is the home of its user; systemd.exec(5).
func home(u *unit.Unit) string {
	dir, _ := u.Last("Service", "WorkingDirectory")
	name, err := u.Expand(strings.TrimPrefix(dir.Value, "-"))
	if err != nil || name == "~" {
		return ""
	}
	return path.Join("/", name)
}

// workplace is the working directory of the service as a setting has it, "" if others have their files there too.
func (v view) workplace() string {
	if v.home == "" || slices.Contains(shared, v.home) {
		return ""
	}
	return v.setting(v.home)
}

// absolute is a path of the service as far as it is known: of a process that ended at once, nobody could see its directory.
func (v view) absolute(name string) string {
	if path.IsAbs(name) || v.home == "" || name == "" {
		return name
	}
	return path.Join(v.home, name)
}

func (v view) exists(name string) bool {
	_, err := v.root.Lstat(path.Join("/", v.inside, name))
	return err == nil
}

// setting is a path of the service as a setting of its unit has it; systemd.exec(5).
func (v view) setting(name string) string {
	if v.inside != "" {
		return "+" + name
	}
	return name
}

// shared are directories that hold the files of many services: an exception names the file, never the whole directory, unless
// the service makes the file.
var shared = []string{"/", "/etc", "/usr", "/var", "/var/lib", "/var/log", "/var/cache", "/var/spool", "/run", "/srv", "/opt", "/home", "/root"}

// kernels matches the files that the kernel makes: nobody renames others over them.
var kernels = regexp.MustCompile(`^/(proc|sys|dev)/`)

// writable returns what must be writable for a file to be written: its directory, since services make files and replace them by
// renaming others over them, unless the directory is shared with the rest of the system or made by the kernel. Of what was
// not there before the first trial, it is the nearest directory that was: at boot it will have to be made again. "" is the root,
// of which nothing would be left.
func (v view) writable(file string) string {
	dir := path.Dir(file)
	at := path.Join("/", v.inside, file)
	info, err := v.root.Stat(at)
	switch there := err == nil && (kernels.MatchString(file) || v.had(at)); {
	case !there && dir == "/":
		return ""
	case !there && !v.had(path.Join("/", v.inside, dir)):
		return v.writable(dir)
	case !there:
		return dir
	case info.IsDir() || slices.Contains(shared, dir) || kernels.MatchString(file):
		return file
	}
	return dir
}
