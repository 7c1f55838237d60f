package place

import (
	"io/fs"
	"path"
)

// WriteFile replaces the file name inside the place in one step, so that a service sees the old or the new content.
// Links in the path are resolved inside the place and parent directories made as needed.
func (p *Place) WriteFile(name string, data []byte, mode fs.FileMode) error {
	return p.asRoot(func() error { return p.writeFile(name, data, mode) })
}

func (p *Place) writeFile(name string, data []byte, mode fs.FileMode) error {
	if err := p.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	return p.root.WriteFile(name, data, mode)
}
