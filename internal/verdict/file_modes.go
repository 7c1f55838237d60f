package verdict

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// access says who can read what is stored. Services log passwords too, so what holds lines of their logs is their
// owner's alone.
type access struct{ dir, file fs.FileMode }

var (
	private = access{dir: 0o700, file: 0o600}
	shared  = access{dir: 0o755, file: 0o644}
)

// privateDirs lists the directories whose files hold lines of logs. The directory of a store that somebody has named
// belongs to that person, the logs below it do not.
func (s Store) privateDirs() []string {
	logs := path.Dir(s.logFile(""))
	if s.Dirs != nil {
		return []string{logs}
	}
	return []string{Dirs[0], logs}
}

// Protect takes from everybody but the owner what is stored on this machine, also what a version of temper stored that
// let everybody read it.
func (s Store) Protect() error {
	var problems []error
	for _, dir := range s.privateDirs() {
		if err := s.protect(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			problems = append(problems, fmt.Errorf("protect the logs of services: %w", err))
		}
	}
	return errors.Join(problems...)
}

// protect closes a directory, and then the files in it.
func (s Store) protect(dir string) error {
	info, err := s.Root.Stat(dir)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&^private.dir == 0 {
		return nil // what is in it was closed with it
	}
	if err := s.Root.Chmod(dir, private.dir); err != nil {
		return err
	}
	entries, err := s.Root.ReadDir(dir)
	for _, e := range entries {
		if e.Type().IsRegular() { // nobody else can exchange it any more
			err = errors.Join(err, s.Root.Chmod(path.Join(dir, e.Name()), private.file))
		}
	}
	return err
}

// makeDir makes a directory for what is to be stored, and closes one that is there already.
func (s Store) makeDir(dir string, who access) error {
	if parent := path.Dir(dir); parent == s.dirs()[0] {
		if err := s.makeDir(parent, who); err != nil {
			return err
		}
	}
	if err := s.Root.MkdirAll(path.Dir(dir), shared.dir); err != nil {
		return err
	}
	if err := s.Root.MkdirAll(dir, who.dir); err != nil {
		return err
	}
	if who == private {
		return s.Protect()
	}
	return nil
}

// Readable returns an error if there are verdicts of this machine that the caller may not read: that they cannot be
// read does not mean that there are none.
func (s Store) Readable() error {
	if _, err := s.Root.ReadDir(s.dirs()[0]); errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("verdicts hold what services log: %w", err)
	}
	return nil
}
