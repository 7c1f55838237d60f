package generator

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/BurntSushi/toml"

	"temper/internal/host"
)

// What happens to a unit that a profile matches and that has no fresh verdict.
const (
	Hold    = "hold"    // nothing is applied
	Enforce = "enforce" // everything that the profile asks for is applied
	Prove   = "prove"   // the unit waits for temper-prove@UNIT.service, which proves it before it starts
)

// SettingsFile is where the administrator's settings are.
const SettingsFile = "/etc/temper/temper.toml"

// Settings are the contents of temper.toml(5).
type Settings struct {
	Unproven string   `toml:"unproven"` // Hold (the default), Enforce or Prove
	Exclude  []string `toml:"exclude"`  // units, names or globs, that temper leaves alone
}

// LoadSettings reads the settings of a root; without a file they are the defaults. Where the error is set, what the
// administrator wants is not known and nothing should be applied.
func LoadSettings(root host.Root) (Settings, error) {
	defaults := Settings{Unproven: Hold}
	data, err := root.ReadTrusted(SettingsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return defaults, nil
	}
	if err != nil {
		return defaults, err
	}
	s := defaults
	meta, err := toml.Decode(string(data), &s)
	if err != nil {
		return defaults, tomlError(SettingsFile, err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return defaults, fmt.Errorf("%s:%d: %q is not a setting, want unproven or exclude",
			SettingsFile, lineOf(data, unknown[0].String()), unknown[0])
	}
	switch s.Unproven {
	case Hold, Enforce, Prove:
	default:
		return defaults, fmt.Errorf("%s:%d: unproven = %q, want %q, %q or %q",
			SettingsFile, lineOf(data, "unproven"), s.Unproven, Hold, Enforce, Prove)
	}
	for _, pattern := range s.Exclude {
		if _, err := path.Match(pattern, ""); err != nil {
			return defaults, fmt.Errorf("%s:%d: exclude has %q: %w", SettingsFile, lineOf(data, "exclude"), pattern, err)
		}
	}
	return s, nil
}

func tomlError(file string, err error) error {
	if pe, ok := errors.AsType[toml.ParseError](err); ok {
		return fmt.Errorf("%s:%d: %s", file, pe.Position.Line, pe.Message)
	}
	return fmt.Errorf("%s:1: %w", file, err)
}

// lineOf returns the line that assigns a key.
func lineOf(data []byte, key string) int {
	for i, l := range strings.Split(string(data), "\n") {
		if name, _, ok := strings.Cut(l, "="); ok && strings.TrimSpace(name) == key {
			return i + 1
		}
	}
	return 1
}

// excludes reports whether the settings leave a unit alone.
func (s Settings) excludes(unit string) bool {
	for _, pattern := range s.Exclude {
		if ok, _ := path.Match(pattern, unit); ok {
			return true
		}
	}
	return false
}
