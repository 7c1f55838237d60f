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

// Files are those of the place in which a service is launched.
type Files interface {
	Root() host.Root
	// Had reports whether what is at a path was there before the first launch of the service.
	ExistedAtStart(name string) bool
}

// A Service is whose launch failed: what its profile asks for, and the files that it sees.
type Service struct {
	input generator.Input
	files Files
	root  string // its root directory, empty if that is the root of the place
	image bool   // its root directory is an image, which is mounted where only the service sees it
	home  string // its working directory, where its relative paths begin; empty if its unit does not tell
}

// NewService returns the service of a plan, as it is launched among files.
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

// workingDirectory is that of a unit, empty if it is the home of its user; systemd.exec(5).
func workingDirectory(u *unit.Unit) string {
	dir, _ := u.Last("Service", "WorkingDirectory")
	name, err := u.Expand(strings.TrimPrefix(dir.Value, "-"))
	if err != nil || name == "~" {
		return ""
	}
	return path.Join("/", name)
}

// Home is the working directory of the service as an exception names it, empty if others have their files there too.
func (s Service) Home() string {
	if s.home == "" || IsShared(s.home) {
		return ""
	}
	return s.exceptionFor(s.home)
}

// absolute is a path of the service, as far as it is known: nobody could read the directory of a process that ended at
// once.
func (s Service) absolute(name string) string {
	if path.IsAbs(name) || s.home == "" || name == "" {
		return name
	}
	return path.Join(s.home, name)
}

// Exists reports whether the service has a file at a path when it is not hardened.
func (s Service) Exists(name string) bool {
	_, err := s.files.Root().Lstat(path.Join("/", s.root, name))
	return err == nil
}

// had reports whether the service had a file at a path before its first launch.
func (s Service) had(name string) bool {
	return !s.image && s.files.ExistedAtStart(path.Join("/", s.root, name))
}

// exceptionFor writes a path of the service as an exception of its unit has it; systemd.exec(5).
func (s Service) exceptionFor(name string) string {
	if s.root != "" {
		return "+" + name
	}
	return name
}

// sharedDirectories hold the files of many services: an exception names the file, never the whole directory, unless the
// service makes the file.
var sharedDirectories = []string{
	"/", "/etc", "/usr", "/var", "/var/lib", "/var/log", "/var/cache", "/var/spool", "/run", "/srv", "/opt", "/home",
	"/root",
}

// IsShared reports whether a directory holds the files of many services.
func IsShared(dir string) bool { return slices.Contains(sharedDirectories, dir) }

// kernelFiles matches the files that the kernel makes: nobody renames others over them.
var kernelFiles = regexp.MustCompile(`^/(proc|sys|dev)/`)

// writable returns what must be writable for a file to be written: its directory, since services replace files by
// renaming others over them, unless the directory is shared with the rest of the system or made by the kernel. Of what
// was not there before the first launch, it is the nearest directory that was: at boot it will have to be made again.
// Empty is the root directory, of which nothing would be left.
func (s Service) writable(file string) string {
	dir := path.Dir(file)
	info, err := s.files.Root().Stat(path.Join("/", s.root, file))
	switch there := err == nil && (kernelFiles.MatchString(file) || s.had(file)); {
	case !there && dir == "/":
		return ""
	case !there && !s.had(dir):
		return s.writable(dir)
	case !there:
		return dir
	case info.IsDir() || slices.Contains(sharedDirectories, dir) || kernelFiles.MatchString(file):
		return file
	}
	return dir
}
