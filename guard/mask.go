package guard

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"temper/generator"
)

// maskDir is the directory in which a drop-in replaces the generator's drop-in of the same name until the next boot.
const maskDir = "/run/systemd/system"

// maskText is a drop-in that sets nothing. By this text the guard tells its own masks from the administrator's.
const maskText = "# Written by temper guard, which tries whether the unit starts without its hardening.\n"

// masks hide drop-ins of the generator while a unit is tried with its vendor's settings.
type masks struct{ dir string }

func (m masks) file(name string) string { return filepath.Join(m.dir, name+".d", generator.Dropin) }

// put hides the drop-in of a unit. It returns an error if the administrator has hidden the drop-in already.
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

// remove removes a mask of the guard, and reports whether there was one.
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
		_ = os.Remove(filepath.Dir(file)) // fails if it holds other drop-ins
	}
	return err == nil, err
}
