package place

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// Made lists what was made in a container since a time and would be there after the next boot, and what was removed of the machine
// that it is a copy of. What systemd keeps for itself is not among it.
func (p *Place) Made(since time.Time) ([]string, error) {
	if p.box == nil {
		return nil, errors.New("only of a container is it known what was made in it")
	}
	var made []string
	for i, at := range p.box.layers {
		upper := fmt.Sprintf("/proc/%d/root%s/upper", p.box.cmd.Process.Pid, scratchOf(i))
		err := filepath.WalkDir(upper, func(file string, entry fs.DirEntry, err error) error {
			name := path.Join(at, strings.TrimPrefix(file, upper))
			switch {
			case errors.Is(err, fs.ErrNotExist): // gone meanwhile, or never a directory
				return nil
			case err != nil:
				return err
			case systemsOwn[name] && entry.IsDir():
				return filepath.SkipDir
			case file != upper && !p.Had(name, since):
				made = append(made, name)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("what was made in the container: %w", err)
		}
	}
	return made, nil
}

// systemsOwn are directories that systemd and its journal write to whatever is started; file-hierarchy(7).
var systemsOwn = map[string]bool{"/var/lib/systemd": true, "/var/log/journal": true, "/dev": true, "/proc": true, "/run": true, "/sys": true, "/tmp": true}
