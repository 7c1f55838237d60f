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
	"temper/internal/hint"
	"temper/internal/host"
	"temper/internal/ready"
	"temper/internal/tomlpos"
	"temper/internal/unit"
	"temper/internal/verdict"
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

// The values of the setting unprofiled: what applies to a service that no profile is about.
const (
	Leave        = "leave"         // nothing
	BaseBaseline = "base/baseline" // the base of that name, as soon as the service is started with it
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
	Schema     int      `toml:"schema"`     // the format of the file: at most settingsSchema, which is the default
	Unproven   string   `toml:"unproven"`   // Hold (the default), Enforce or Prove
	Unprofiled string   `toml:"unprofiled"` // Leave (the default) or BaseBaseline
	Stale      string   `toml:"stale"`      // Keep (the default) or Drop
	Restart    string   `toml:"restart"`    // RestartNever (the default) or RestartDemoted
	Apply      []string `toml:"apply"`      // the results that apply: verdict.Proven (the default), verdict.Started
	Exclude    []string `toml:"exclude"`    // units, names or globs, that temper leaves alone
	// Secrets maps a path to the units, names or globs, that may see it. The path is hidden from every other unit that
	// temper hardens.
	Secrets map[string][]string `toml:"secrets"`

	Lines   map[string]int // of each element of Exclude
	areLast bool           // they are the last that were read without an error
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

// LastSettingsFile is a copy of the settings beside the boot record, as they were when the record was made without an
// error in them.
var LastSettingsFile = path.Join(path.Dir(ready.Path), "temper.toml")

// LoadSettings reads the settings of a root; without a file they are the defaults. If there is an error, which joins
// every [profiles.Finding], the settings are those of [LastSettingsFile], and what applied before goes on applying;
// without that file it is not known what the administrator wants, and nothing should be applied.
func LoadSettings(root host.Root) (Settings, error) {
	s, err := readSettings(root, SettingsFile)
	if err == nil {
		return s, nil
	}
	last, lastErr := readSettings(root, LastSettingsFile)
	if _, statErr := root.Stat(LastSettingsFile); lastErr != nil || statErr != nil {
		return defaultSettings(), err
	}
	last.areLast = true
	return last, err
}

func defaultSettings() Settings {
	return Settings{
		Unproven: Hold, Unprofiled: Leave, Stale: Keep, Restart: RestartNever, Apply: []string{verdict.Proven},
	}
}

// keepSettings keeps a copy of the settings for when there is an error in them.
func keepSettings(root host.Root) error {
	data, err := root.ReadTrusted(SettingsFile, maxSettings)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = nil, nil // the defaults
	}
	if err != nil {
		return err
	}
	if old, err := root.ReadFile(LastSettingsFile); err == nil && string(old) == string(data) {
		return nil
	}
	return root.WriteFile(LastSettingsFile, data, 0o644)
}

// readSettings reads a file of settings.
func readSettings(root host.Root, file string) (Settings, error) {
	data, err := root.ReadTrusted(file, maxSettings)
	if errors.Is(err, fs.ErrNotExist) {
		return defaultSettings(), nil
	}
	if err != nil {
		return defaultSettings(), err
	}
	r := settingsReader{file: file}
	s := r.read(string(data))
	profiles.SortFindings(r.findings)
	problems := make([]error, len(r.findings))
	for i, f := range r.findings {
		problems[i] = f
	}
	return s, errors.Join(problems...)
}

// settingsReader collects what is wrong with a file of settings.
type settingsReader struct {
	file     string
	keys     tomlpos.Positions
	values   map[string]any
	findings []profiles.Finding
}

// settingKeys are the keys of the file.
var settingKeys = []string{"schema", "unproven", "unprofiled", "stale", "restart", "apply", "exclude", "secrets"}

func (r *settingsReader) report(id string, line int, format string, args ...any) {
	r.findings = append(r.findings, profiles.Finding{
		ID: id, Path: r.file, Line: line, Message: fmt.Sprintf(format, args...),
	})
}

func (r *settingsReader) read(text string) Settings {
	s := defaultSettings()
	var deep int
	if r.keys, deep = tomlpos.Locate(text); deep > 0 {
		r.report(profiles.IDSyntax, deep, "keys nest deeper than %d", tomlpos.MaxDepth)
		return s
	}
	if _, err := toml.Decode(text, &r.values); err != nil {
		r.findings = append(r.findings, profiles.SyntaxFinding(r.file, err))
		return s
	}
	if n, ok := r.values["schema"].(int64); ok && n > settingsSchema { // all else may mean something else
		r.report(profiles.IDBadChoice, r.keys.Of("schema").Line,
			"schema = %d is the format of a newer temper, this one knows up to %d", n, settingsSchema)
		return s
	}
	for key := range r.values {
		if !slices.Contains(settingKeys, key) {
			last := len(settingKeys) - 1
			near := ""
			if word := hint.Nearest(key, settingKeys); word != "" {
				near = fmt.Sprintf(" (did you mean %s?)", word)
			}
			r.report(profiles.IDUnknownKey, r.keys.Of(key).Line, "%q is not a setting%s, want %s or %s",
				key, near, strings.Join(settingKeys[:last], ", "), settingKeys[last])
		}
	}
	if value, ok := r.values["schema"]; ok {
		n, isNumber := value.(int64)
		if s.Schema = int(n); !isNumber || n < 1 {
			r.report(profiles.IDWrongType, r.keys.Of("schema").Line, "schema is %s, want %d", shown(value),
				settingsSchema)
		}
	}
	r.choice("unproven", &s.Unproven, Hold, Enforce, Prove)
	r.choice("unprofiled", &s.Unprofiled, Leave, BaseBaseline)
	r.choice("stale", &s.Stale, Keep, Drop)
	r.choice("restart", &s.Restart, RestartNever, RestartDemoted)
	if value, ok := r.values["apply"]; ok {
		s.Apply = r.apply(value)
	}
	if value, ok := r.values["exclude"]; ok {
		s.Exclude = r.patterns("exclude", "exclude", "the unit", value)
		s.Lines = map[string]int{}
		for i, pattern := range s.Exclude {
			s.Lines[pattern] = r.keys.Of(tomlpos.Element("exclude", i)).Line
		}
	}
	s.Secrets = r.secrets()
	return s
}

// choice reads a setting that is one of a few words.
func (r *settingsReader) choice(key string, into *string, words ...string) {
	value, ok := r.values[key]
	if !ok {
		return
	}
	text, isText := value.(string)
	switch line := r.keys.Of(key).Line; {
	case !isText:
		r.report(profiles.IDWrongType, line, "%s = %s, want %s", key, shown(value), anyOf(words))
	case !slices.Contains(words, text):
		r.report(profiles.IDBadChoice, line, "%s = %q, want %s", key, text, anyOf(words))
	default:
		*into = text
	}
}

// apply reads the list of the results that apply. Proven always does.
func (r *settingsReader) apply(value any) []string {
	list, isList := value.([]any)
	switch line := r.keys.Of("apply").Line; {
	case !isList:
		r.report(profiles.IDWrongType, line, "apply is %s, want a list such as [%q]", shown(value), verdict.Proven)
	case !slices.Contains(list, any(verdict.Proven)):
		r.report(profiles.IDBadChoice, line, "apply lacks %q, which always applies", verdict.Proven)
	}
	results := []string{verdict.Proven}
	for i, element := range list {
		text, _ := element.(string)
		if !slices.Contains(profiles.Applicable, text) {
			r.report(profiles.IDBadChoice, r.keys.Of(tomlpos.Element("apply", i)).Line, "apply has %s, want %s",
				shown(element), anyOf(profiles.Applicable))
			continue
		}
		results = append(results, text)
	}
	return results
}

// patterns reads a list of units, names or globs.
func (r *settingsReader) patterns(at, what, of string, value any) []string {
	list, isList := value.([]any)
	if !isList {
		r.report(profiles.IDWrongType, r.keys.Of(at).Line, "%s is %s, want a list of units such as [\"a.service\"]",
			what, shown(value))
		return nil
	}
	var patterns []string
	for i, element := range list {
		line := r.keys.Of(tomlpos.Element(at, i)).Line
		pattern, isText := element.(string)
		if !isText {
			r.report(profiles.IDWrongType, line, "%s has %s, want the name of a unit such as \"a.service\"", what,
				shown(element))
			continue
		}
		if _, err := path.Match(pattern, ""); err != nil {
			r.report(profiles.IDBadName, line, "%s has %s %q, which is no name and no pattern as in glob(7)", what, of,
				pattern)
			continue
		}
		patterns = append(patterns, pattern)
	}
	return patterns
}

// secrets reads the table of secrets.
func (r *settingsReader) secrets() map[string][]string {
	value, ok := r.values["secrets"]
	if !ok {
		return nil
	}
	table, isTable := value.(map[string]any)
	if !isTable {
		r.report(profiles.IDWrongType, r.keys.Of("secrets").Line, "secrets is %s, want a table of paths", shown(value))
		return nil
	}
	secrets := map[string][]string{}
	for at, owners := range table {
		key := tomlpos.Child("secrets", at)
		if err := directive.Hiding().Check([]string{at}); err != nil || at == "/" ||
			strings.ContainsAny(at, " \t\"'\\") {
			r.report(profiles.IDBadPath, r.keys.Of(key).Line,
				"secrets has the path %q, want a clean absolute path without blanks", at)
		}
		secrets[at] = r.patterns(key, "secrets", "the owner", owners)
	}
	return secrets
}

// shown is a value of TOML in a message.
func shown(value any) string {
	switch v := value.(type) {
	case string:
		return strconv.Quote(v)
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	case []map[string]any:
		return "a list of tables"
	}
	return fmt.Sprint(value)
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

// Profiles returns a set of profiles as the settings have it: with a base for services without a profile, or as it is.
func (s Settings) Profiles(set *profiles.Set) *profiles.Set {
	if s.Unprofiled == Leave {
		return set
	}
	return set.WithFallback(s.Unprofiled)
}

// Applies reports whether a result of proving a unit is enough to apply what it found. Less than proven is if the
// settings say so, or the profile of the unit.
func (s Settings) Applies(result string, p *profiles.Profile) bool {
	return result == verdict.Proven || slices.Contains(s.Apply, result) ||
		result == verdict.Started && (s.Unproven == Enforce || p != nil && slices.Contains(p.Apply, result))
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

// Unmatched returns the elements of Exclude that none of these units matches. An instance counts as there if its
// template is.
func (s Settings) Unmatched(units []string) []string {
	return slices.DeleteFunc(slices.Clone(s.Exclude), func(pattern string) bool {
		return slices.ContainsFunc(units, func(name string) bool {
			ok, _ := path.Match(pattern, name)
			prefix, _, isInstance := strings.Cut(pattern, "@")
			return ok || isInstance && unit.IsTemplate(name) && unit.Prefix(name) == prefix
		})
	})
}
