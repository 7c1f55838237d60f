package survey

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/BurntSushi/toml"
)

//go:embed setups/*.toml
var setups embed.FS

// A setup gives a package the configuration without which its service does not start. It is a file
// setups/PACKAGE.toml.
type setup struct {
	Why      string   `toml:"why"`      // what the service lacks
	Packages []string `toml:"packages"` // more packages to install
	Run      []string `toml:"run"`      // command lines for /bin/sh, as root of the tree, after the installation
}

// setupText is the file of a setup; nil if the package has none.
func setupText(pkg string) []byte {
	data, err := fs.ReadFile(setups, "setups/"+pkg+".toml")
	if err != nil { // setupOf says why
		return nil
	}
	return data
}

// setupOf returns the setup of a package, if it has one.
func setupOf(pkg string) (s setup, found bool, err error) {
	name := "setups/" + pkg + ".toml"
	data, err := fs.ReadFile(setups, name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return setup{}, false, nil
	}
	if err != nil {
		return setup{}, false, err
	}
	known, err := toml.Decode(string(data), &s)
	if err == nil && len(known.Undecoded()) > 0 {
		err = fmt.Errorf("there is no key %s", known.Undecoded()[0])
	}
	if err == nil && s.Why == "" {
		err = errors.New("it does not say why")
	}
	if err != nil {
		return setup{}, false, fmt.Errorf("survey/%s: %w", name, err)
	}
	return s, true, nil
}
