package place

import (
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// WriteFile replaces the file name inside the place in one step, so that a service sees the old or the new content.
// Links in the path are resolved inside the place and parent directories made as needed.
func (p *Place) WriteFile(name string, data []byte, mode fs.FileMode) error {
	return p.asRoot(func() error { return p.writeFile(name, data, mode) })
}

func (p *Place) writeFile(name string, data []byte, mode fs.FileMode) error {
	path, err := p.root.Path(name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(path, data, mode, renameio.IgnoreUmask(), renameio.WithTempDir(filepath.Dir(path)))
}
