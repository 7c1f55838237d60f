package blame

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"temper/generator"
	"temper/internal/host"
	"temper/internal/unit"
)

// Files are the files of the place in which a service is launched.
type Files interface {
	Root() host.Root
	// ExistedAtStart reports whether a file existed before the first launch of the service.
	ExistedAtStart(name string) bool
}

// A Service is a service under test: what its profile asks for, and the files that it sees.
type Service struct {
	input generator.Input
	files Files
	root  string // the root directory of the service; empty if it is the root of the place
	image bool   // the root directory is an image, which only the service sees
	home  string // the working directory of the service; empty if the unit does not tell it
}

// NewService returns the service of an input, which sees the files.
func NewService(in generator.Input, files Files) Service {
	s := Service{input: in, files: files, home: workingDirectory(in.Unit)}
	image, _ := in.Unit.Last("Service", "RootImage")
	s.image = image.Value != ""
	own, _ := in.Unit.Last("Service", "RootDirectory")
	if dir, err := in.Unit.Expand(own.Value); err == nil && dir != "/" {
		s.root = dir
	}
	return s
}

// workingDirectory is the working directory of a unit; empty if it is the home directory of its user; systemd.exec(5).
func workingDirectory(u *unit.Unit) string {
	dir, _ := u.Last("Service", "WorkingDirectory")
	name, err := u.Expand(strings.TrimPrefix(dir.Value, "-"))
	if err != nil || name == "~" {
		return ""
	}
	return path.Join("/", name)
}

// Home is the working directory of the service in the form of an exception; empty if other services use it too.
func (s Service) Home() string {
	if s.home == "" || IsShared(s.home) {
		return ""
	}
	return s.exceptionFor(s.home)
}

// absolute makes a path of the service absolute. It assumes that the process ran in the working directory of the unit:
// the directory of a process that ends at once cannot be read.
func (s Service) absolute(name string) string {
	if path.IsAbs(name) || s.home == "" || name == "" {
		return name
	}
	return path.Join(s.home, name)
}

// Exists reports whether the service without hardening sees a file.
func (s Service) Exists(name string) bool {
	_, err := s.files.Root().Lstat(path.Join("/", s.root, name))
	return err == nil
}

// existedAtStart reports whether a file of the service existed before its first launch.
func (s Service) existedAtStart(name string) bool {
	return !s.image && s.files.ExistedAtStart(path.Join("/", s.root, name))
}

// exceptionFor writes a path of the service as an exception: with a "+" if the service has its own root directory;
// systemd.exec(5).
func (s Service) exceptionFor(name string) string {
	if s.root != "" {
		return "+" + name
	}
	return name
}

// OnMachine is the path on the machine that an exception names.
func (s Service) OnMachine(exception string) string {
	if name, inRoot := strings.CutPrefix(exception, "+"); inRoot {
		return path.Join("/", s.root, name)
	}
	return exception
}

// sharedDirectories hold files of many services. An exception in them names the file, and the whole directory only if
// the service creates the file.
var sharedDirectories = []string{
	"/", "/etc", "/usr", "/var", "/var/lib", "/var/log", "/var/cache", "/var/spool", "/run", "/srv", "/opt", "/home",
	"/root",
}

// IsShared reports whether a directory holds the files of many services.
func IsShared(dir string) bool { return slices.Contains(sharedDirectories, dir) }

// filesOfMany hold, beside the shared directories, what many programs read or whose files are not for each other: a
// service is shown the files of its own.
var filesOfMany = []string{
	"/etc/cron.d", "/etc/cron.daily", "/etc/cron.hourly", "/etc/cron.monthly", "/etc/cron.weekly",
	"/etc/dbus-1/system.d", "/etc/default", "/etc/init.d", "/etc/ld.so.conf.d", "/etc/logrotate.d",
	"/etc/modprobe.d", "/etc/modules-load.d",
	"/etc/network", "/etc/pam.d", "/etc/profile.d", "/etc/security", "/etc/ssh", "/etc/ssl", "/etc/ssl/private",
	"/etc/sudoers.d", "/etc/sysconfig", "/etc/sysctl.d", "/etc/systemd", "/etc/tmpfiles.d", "/run/lock", "/run/systemd",
	"/run/user", "/usr/bin", "/usr/include", "/usr/lib", "/usr/libexec", "/usr/local", "/usr/local/bin",
	"/usr/local/lib", "/usr/local/sbin", "/usr/sbin", "/usr/share", "/var/backups", "/var/lib/misc", "/var/mail",
	"/var/spool/cron", "/var/spool/mail",
}

// HoldsOthers reports whether a directory holds, beside the files of a service, those of others.
func HoldsOthers(dir string) bool {
	return IsShared(dir) || slices.Contains(filesOfMany, dir) || path.Dir(dir) == "/home"
}

// shown returns the path to show to a service that is to see a file: the directory of the file, since files are
// replaced by a rename; but the file itself if others have files in the directory. If the path did not exist before
// the first launch, it is the nearest directory that did, also one of others: systemd shows only what exists, and to
// take away what hides that directory would show more. It is empty instead of "/".
func (s Service) shown(file string) string {
	dir := path.Dir(file)
	info, err := s.files.Root().Stat(path.Join("/", s.root, file))
	switch there := err == nil && s.existedAtStart(file); {
	case !there && dir == "/":
		return ""
	case !there:
		return s.shown(dir)
	case info.IsDir() || HoldsOthers(dir):
		return file
	}
	return dir
}

// kernelFiles matches files that the kernel makes. No program replaces them by a rename.
var kernelFiles = regexp.MustCompile(`^/(proc|sys|dev)/`)

// writable returns the path that must be writable for the service to write a file. That is the directory of the file,
// since services replace files by a rename; but it is the file itself if the directory is shared, or if the kernel
// makes the file. If the path did not exist before the first launch, it is the nearest directory that did: after a boot
// the service must create the rest again. It is empty instead of "/", since that exception would leave no protection.
func (s Service) writable(file string) string {
	if own := "/sys/fs/cgroup" + s.input.Unit.ControlGroup(); host.Below(own, file) {
		return own // systemd makes it before the service starts
	}
	dir := path.Dir(file)
	info, err := s.files.Root().Stat(path.Join("/", s.root, file))
	switch there := err == nil && (kernelFiles.MatchString(file) || s.existedAtStart(file)); {
	case !there && dir == "/":
		return ""
	case !there && !s.existedAtStart(dir):
		return s.writable(dir)
	case !there:
		return dir
	case info.IsDir() || slices.Contains(sharedDirectories, dir) || kernelFiles.MatchString(file):
		return file
	}
	return dir
}
