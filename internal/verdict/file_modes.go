package verdict

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// access has the modes of stored files. Services can log passwords, so only the owner may read a file that has lines of
// their logs.
type access struct{ dir, file fs.FileMode }

var (
	private = access{dir: 0o700, file: 0o600}
	shared  = access{dir: 0o755, file: 0o644}
)

// privateDirs lists the directories whose files have lines of logs. If a user has named the directory of the store,
// only the directory of logs below it is listed.
func (s Store) privateDirs() []string {
	logs := path.Dir(s.logFile(""))
	if s.Dirs != nil {
		return []string{logs}
	}
	return []string{Dirs[0], logs}
}

// Protect makes everything that is stored on this machine readable by its owner only, also files of an older temper
// that all users could read.
func (s Store) Protect() error {
	var problems []error
	for _, dir := range s.privateDirs() {
		if err := s.Root.MakePrivate(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			problems = append(problems, fmt.Errorf("protect the logs of services: %w", err))
		}
	}
	return errors.Join(problems...)
}

// makeDir makes a directory of the store, and sets the mode of one that exists already.
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

// Readable returns an error if the verdicts of this machine cannot be listed, so that they do not look as if there were
// none.
func (s Store) Readable() error {
	_, err := s.list(s.dirs()[0])
	return err
}
