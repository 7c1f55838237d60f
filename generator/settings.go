package generator

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"temper/internal/directive"
	"temper/internal/host"
	"temper/internal/tomlpos"
	"temper/profiles"
)

// The values of the setting unproven: what applies to a unit that a profile matches and that has no proof.
const (
	Hold    = "hold"    // nothing is applied
	Enforce = "enforce" // everything that the profile asks for is applied
	Prove   = "prove"   // the unit waits for temper-prove@UNIT.service, which proves it before it starts
)

// The values of the setting stale: what applies to a unit whose proof has become stale.
const (
	Keep = "keep" // the unit stays hardened; see afterChange
	Drop = "drop" // the unit counts as unproven
)

// Whether a service that runs is restarted where a new proof has found that it needs what it is forbidden.
const (
	RestartNever   = "never"
	RestartDemoted = "demoted"
)

// SettingsFile is where the administrator's settings are.
const SettingsFile = "/etc/temper/temper.toml"

// settingsSchema is the number of the format of temper.toml(5) that this temper knows.
const settingsSchema = 1

// Settings are the contents of temper.toml(5).
type Settings struct {
	Schema   int      `toml:"schema"`   // the format of the file: at most settingsSchema, which is the default
	Unproven string   `toml:"unproven"` // Hold (the default), Enforce or Prove
	Stale    string   `toml:"stale"`    // Keep (the default) or Drop
	Restart  string   `toml:"restart"`  // RestartNever (the default) or RestartDemoted
	Exclude  []string `toml:"exclude"`  // units, names or globs, that temper leaves alone
	// Secrets maps a path to the units, names or globs, that may see it. The path is hidden from every other unit that
	// temper hardens.
	Secrets map[string][]string `toml:"secrets"`
}

// SecretsFor returns the secrets of the settings that a unit with these names does not own, sorted by path.
func (s Settings) SecretsFor(names ...string) []profiles.Secret {
	var others []profiles.Secret
	for _, at := range slices.Sorted(maps.Keys(s.Secrets)) {
		owns := func(pattern string) bool {
			return slices.ContainsFunc(names, func(n string) bool { ok, _ := path.Match(pattern, n); return ok })
		}
		if !slices.ContainsFunc(s.Secrets[at], owns) {
			others = append(others, profiles.Secret{Path: at, Profile: SettingsFile})
		}
	}
	return others
}

// maxSettings is the largest size of the settings file in bytes: the parser recurses for every bracket.
const maxSettings = 64 << 10

// LoadSettings reads the settings of a root; without a file they are the defaults. If there is an error, it is not
// known what the administrator wants, and nothing should be applied.
func LoadSettings(root host.Root) (Settings, error) {
	defaults := Settings{Unproven: Hold, Stale: Keep, Restart: RestartNever}
	data, err := root.ReadTrusted(SettingsFile, maxSettings)
	if errors.Is(err, fs.ErrNotExist) {
		return defaults, nil
	}
	if err != nil {
		return defaults, err
	}
	keys, deep := tomlpos.Locate(string(data))
	if deep > 0 {
		return defaults, fmt.Errorf("%s:%d: keys nest deeper than %d", SettingsFile, deep, tomlpos.MaxDepth)
	}
	s := defaults
	meta, err := toml.Decode(string(data), &s)
	if err != nil {
		return defaults, tomlError(SettingsFile, err)
	}
	if s.Schema > settingsSchema {
		return defaults, fmt.Errorf("%s:%d: schema = %d is the format of a newer temper, this one knows up to %d",
			SettingsFile, keys.Of("schema").Line, s.Schema, settingsSchema)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return defaults, fmt.Errorf("%s:%d: %q is not a setting, want schema, unproven, stale, restart, exclude or secrets",
			SettingsFile, keys.OfKey(unknown[0]...).Line, unknown[0])
	}
	for _, c := range []struct {
		key, value string
		choices    []string
	}{
		{"unproven", s.Unproven, []string{Hold, Enforce, Prove}},
		{"stale", s.Stale, []string{Keep, Drop}},
		{"restart", s.Restart, []string{RestartNever, RestartDemoted}},
	} {
		if !slices.Contains(c.choices, c.value) {
			return defaults, fmt.Errorf("%s:%d: %s = %q, want %s",
				SettingsFile, keys.Of(c.key).Line, c.key, c.value, anyOf(c.choices))
		}
	}
	for _, pattern := range s.Exclude {
		if _, err := path.Match(pattern, ""); err != nil {
			return defaults, fmt.Errorf(
				"%s:%d: exclude has %q: %w",
				SettingsFile,
				keys.Of("exclude").Line,
				pattern,
				err,
			)
		}
	}
	return s, s.checkSecrets(keys)
}

// checkSecrets returns what is wrong with the table of secrets.
func (s Settings) checkSecrets(keys tomlpos.Positions) error {
	for at, owners := range s.Secrets {
		if err := directive.Hiding().Check([]string{at}); err != nil || at == "/" ||
			strings.ContainsAny(at, " \t\"'\\") {
			return fmt.Errorf("%s:%d: secrets has the path %q, want a clean absolute path without blanks",
				SettingsFile, keys.Of(tomlpos.Child("secrets", at)).Line, at)
		}
		for _, pattern := range owners {
			if _, err := path.Match(pattern, ""); err != nil {
				return fmt.Errorf("%s:%d: secrets has the owner %q: %w",
					SettingsFile, keys.Of(tomlpos.Child("secrets", at)).Line, pattern, err)
			}
		}
	}
	return nil
}

// anyOf lists values as in a sentence.
func anyOf(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = strconv.Quote(v)
	}
	last := len(quoted) - 1
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}

func tomlError(file string, err error) error {
	if pe, ok := errors.AsType[toml.ParseError](err); ok {
		return fmt.Errorf("%s:%d: %s", file, pe.Position.Line, pe.Message)
	}
	return fmt.Errorf("%s:1: %w", file, err)
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
