package guard

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"temper/generator"
)

// maskDir is where a drop-in hides that of the generator with the same name, until the next boot.
const maskDir = "/run/systemd/system"

// maskText is a drop-in that sets nothing. The guard knows its own masks by it: one of the administrator's says
// something else.
const maskText = "# Written by temper guard, which tries whether the unit starts without its hardening.\n"

// masks hide drop-ins of the generator while a unit is tried with its vendor's settings.
type masks struct{ dir string }

func (m masks) file(name string) string { return filepath.Join(m.dir, name+".d", generator.Dropin) }

// put hides the drop-in of a unit. One that is hidden already is the administrator's business, and an error.
func (m masks) put(name string) error {
	file := m.file(name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, &fs.PathError{Op: "mask", Path: file, Err: fs.ErrExist})
	}
	return renameio.WriteFile(file, []byte(maskText), 0o644)
}

// remove takes a mask of the guard away, and reports whether there was one.
func (m masks) remove(name string) (bool, error) {
	file := m.file(name)
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && string(data) != maskText {
		return false, nil
	}
	if err == nil {
		err = os.Remove(file)
	}
	if err == nil {
		_ = os.Remove(filepath.Dir(file)) // not empty where others have drop-ins there
	}
	return err == nil, err
}
